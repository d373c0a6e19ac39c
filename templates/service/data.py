import random

FEATURES = ["distance_km", "hour", "rain", "stops"]


def make(rows: int = 400, seed: int = 7) -> tuple[list[list[float]], list[float]]:
    draw = random.Random(seed)
    features, minutes = [], []
    for _ in range(rows):
        distance_km = round(draw.uniform(0.5, 20.0), 1)
        hour = draw.randrange(8, 22)
        rain = draw.random() < 0.3
        stops = draw.randrange(1, 9)
        features.append([distance_km, hour, float(rain), stops])
        rush = 6.0 if hour in (8, 9, 17, 18, 19) else 0.0
        minutes.append(round(8 + 2.4 * distance_km + 5 * rain + 3.5 * stops + rush + draw.gauss(0, 3), 1))
    return features, minutes
