// The live checklist of a study notebook.
//
// The page never decides what is ticked. A click asks Python to write the tick; the box stays only once Python has
// answered that it is written. Without an answer the page says so instead of looking alive.

const PONG_WITHIN = 3500; // ms until the kernel counts as gone
const ACK_WITHIN = 4000; // ms until a tick counts as late
const SHOW_SAVED = 1500; // ms for which "saved" stays beside an item

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Text in which `code` stands between backticks, as nodes. */
function words(text) {
  return text.split(/`([^`]+)`/).map((part, n) => (n % 2 ? element("code", {}, part) : part));
}

class Row {
  constructor(item, uid, onChange) {
    this.id = item.id;
    this.text = item.text;
    const id = `cu-${uid}-${item.id}`;
    // JupyterLab takes single keys as commands (d d deletes the cell) unless the focused element itself says not to.
    this.box = element("input", { type: "checkbox", id, "data-item": item.id, "data-lm-suppress-shortcuts": "true" });
    this.sign = element("span", { class: "cu-sign", "aria-hidden": "true" });
    const label = element("label", { for: id }, ...words(item.text));
    this.node = element("div", { class: "cu-row" }, this.box, label, this.sign);
    this.box.addEventListener("change", () => onChange(this));
  }

  show(sign) {
    this.sign.textContent = sign;
  }

  flash(sign) {
    this.show(sign);
    setTimeout(() => this.sign.textContent === sign && this.show(""), SHOW_SAVED);
  }
}

class TickList {
  constructor(model, root) {
    this.model = model;
    this.labels = model.get("labels");
    this.ticked = new Set(model.get("ticked")); // what Python has confirmed
    this.pending = new Map(); // sequence number -> { row, want, timer }
    this.sequence = 0;
    this.rows = model.get("items").map((item) => new Row(item, model.get("uid"), (row) => this.ask(row)));
    this.build(root);
    this.onMessage = (message) => this.receive(message);
    this.onTicked = () => this.follow();
    model.on("msg:custom", this.onMessage);
    model.on("change:ticked", this.onTicked);
    this.paint();
    this.ping();
  }

  build(root) {
    const title = this.model.get("title");
    this.bar = element("progress", { "aria-label": this.labels.progress, max: String(this.rows.length) });
    this.count = element("span");
    this.warning = element("p", { class: "cu-warning", role: "alert" });
    this.warning.hidden = true;
    this.status = element("p", { class: "cu-hidden", role: "status", "aria-live": "polite" });
    this.fields = element(
      "fieldset",
      {},
      element("legend", { class: "cu-hidden" }, title),
      ...this.rows.map((row) => row.node),
    );
    const head = element("div", { class: "cu-head" }, element("strong", {}, title), this.bar, this.count);
    root.classList.add("cu-list", `cu-live-${this.model.get("uid")}`);
    root.setAttribute("lang", this.model.get("lang"));
    root.append(head, this.warning, this.fields, this.status);
  }

  /** Ask whether Python is there. */
  ping() {
    this.alive = false;
    this.pingTimer = setTimeout(() => this.alive || this.goOffline(), PONG_WITHIN);
    this.send({ type: "ping" });
  }

  /** Ask Python to write what the box now shows. */
  ask(row) {
    const seq = ++this.sequence;
    const want = row.box.checked;
    row.show("…");
    this.announce(this.labels.saving, row);
    const timer = setTimeout(() => this.warnLate(seq), ACK_WITHIN);
    this.pending.set(seq, { row, want, timer });
    this.send({ type: "set", id: row.id, done: want, seq });
    this.drawProgress();
  }

  /** After a restart of the kernel `send` throws: that is the same as no kernel. */
  send(message) {
    try {
      this.model.send(message);
    } catch {
      this.goOffline();
    }
  }

  receive(message) {
    if (message.type === "pong") this.goOnline();
    if (message.type === "ack") this.settle(message);
  }

  settle({ seq, ok, problem }) {
    const asked = this.pending.get(seq);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.pending.delete(seq);
    const { row, want } = asked;
    if (ok) {
      this.confirm(row.id, want);
      row.flash("✓");
      this.announce(want ? this.labels.ticked : this.labels.open, row);
      if (!this.pending.size) this.warn("");
    } else {
      row.show("⚠");
      this.warn(problem || this.labels.failed);
    }
    this.paint();
  }

  confirm(id, done) {
    if (done) this.ticked.add(id);
    else this.ticked.delete(id);
  }

  /** Python's list has changed: by this page, by another one, or by done(…) in a cell. */
  follow() {
    this.ticked = new Set(this.model.get("ticked"));
    this.paint();
  }

  /** Show what is confirmed; boxes that wait for an answer keep what was clicked. */
  paint() {
    const waiting = new Set([...this.pending.values()].map(({ row }) => row.id));
    for (const row of this.rows) if (!waiting.has(row.id)) row.box.checked = this.ticked.has(row.id);
    this.drawProgress();
  }

  drawProgress() {
    const done = this.rows.filter((row) => row.box.checked).length;
    this.bar.value = done;
    this.count.textContent = `${done}/${this.rows.length}`;
  }

  warnLate(seq) {
    const asked = this.pending.get(seq);
    if (!asked) return;
    asked.row.show("⚠");
    this.warn(this.labels.late);
  }

  goOnline() {
    this.alive = true;
    this.fields.disabled = false;
    this.warn("");
  }

  goOffline() {
    for (const { row, timer } of this.pending.values()) {
      clearTimeout(timer);
      row.show("");
    }
    this.pending.clear();
    this.fields.disabled = true;
    this.warn(this.labels.offline);
    this.paint();
  }

  warn(text) {
    this.warning.textContent = text;
    this.warning.hidden = !text;
  }

  /** Tell a screen reader what happened to an item. */
  announce(sentence, row) {
    this.status.textContent = sentence.replace("{item}", () => row.text.replaceAll("`", ""));
  }

  dispose() {
    clearTimeout(this.pingTimer);
    for (const { timer } of this.pending.values()) clearTimeout(timer);
    this.model.off("msg:custom", this.onMessage);
    this.model.off("change:ticked", this.onTicked);
  }
}

function render({ model, el }) {
  const list = new TickList(model, el);
  return () => list.dispose();
}

export default { render };
