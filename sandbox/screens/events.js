"use strict";

/* 事件: a form for whatever can happen, and below it what became of each callback. */

function eventPanel({ forms, defaults, send }) {
  const choice = el("select", { "aria-label": "事件" });
  const groups = new Map();
  forms.forEach((form, number) => {
    if (!groups.has(form.group)) groups.set(form.group, el("optgroup", { label: form.group }));
    groups.get(form.group).append(el("option", { value: number }, form.title));
  });
  choice.append(...groups.values());

  const fields = el("div", { class: "fields" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const outcomes = el("ul", { class: "outcomes" });
  const form = el(
    "form",
    { class: "event-form" },
    el("label", { class: "field" }, el("span", {}, "发生什么"), choice),
    fields,
    problem,
    el("button", { class: "send", type: "submit" }, "让它发生")
  );

  function show(preset = {}) {
    const wanted = forms[Number(choice.value)];
    const known = defaults();
    fields.replaceChildren(...wanted.fields.map((one) => eventField(one, known, preset[one.name])));
    if (wanted.note) fields.append(el("p", { class: "hint" }, wanted.note));
    problem.hidden = true;
  }

  choice.addEventListener("change", () => show());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      const wanted = forms[Number(choice.value)];
      await send({ ...wanted.fixed, ...valuesOf(fields, wanted.fields) });
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  });
  show();

  let shownOutcomes = "";
  return {
    node: el("div", { class: "events" }, form, el("h4", {}, "回调结果"), outcomes),
    /** Another person or chat: what the fields offer is theirs. */
    refill: () => show(),
    choose(event, preset) {
      choice.value = String(forms.findIndex((one) => one.fixed.event === event));
      show(preset);
    },
    showOutcomes(callbacks) {
      const key = JSON.stringify(callbacks);
      if (key === shownOutcomes) return;
      shownOutcomes = key;
      const opened = new Set([...outcomes.querySelectorAll("details[open]")].map((one) => one.dataset.id));
      const nothing = el("li", { class: "hint" }, "还没有发出过回调。");
      const rows = callbacks.map((one) => outcomeRow(one, opened.has(String(one.id))));
      outcomes.replaceChildren(...(rows.length ? rows : [nothing]));
    },
  };
}

function eventField(field, known, given) {
  const isKnown = typeof field.default === "string" && field.default.startsWith("$");
  const value = given !== undefined ? given : isKnown ? known[field.default.slice(1)] || "" : field.default;
  const input = INPUTS[field.kind](field, value);
  input.name = field.name;
  if (field.kind === "check") return el("label", { class: "field field-check" }, input, el("span", {}, field.label));
  return el("label", { class: "field" }, el("span", {}, field.label), input);
}

const INPUTS = {
  text: (_, value) => el("input", { value, autocomplete: "off" }),
  number: (_, value) => el("input", { value, type: "number", step: "any" }),
  check: (_, value) => el("input", { type: "checkbox", checked: value ? "" : null }),
  list: (_, value) => el("textarea", { rows: 2 }, String(value)),
  json: () => el("textarea", { rows: 6, spellcheck: "false" }, '{"MsgType": "event", "Event": "something_new"}'),
  choice: (field, value) =>
    el(
      "select",
      {},
      ...field.choices.map(([name, label]) => el("option", { value: name, selected: name === String(value) ? "" : null }, label))
    ),
};

function valuesOf(node, fields) {
  const values = {};
  for (const field of fields) {
    const input = node.querySelector(`[name="${field.name}"]`);
    const text = input.value.trim();
    if (field.kind === "check") values[field.name] = input.checked;
    else if (field.kind === "number") values[field.name] = Number(text || 0);
    else if (field.kind === "list") values[field.name] = text.split(/\s+/).filter(Boolean);
    else if (field.kind === "json") values[field.name] = parsed(text);
    else values[field.name] = text;
  }
  return values;
}

function parsed(text) {
  try {
    return JSON.parse(text || "{}");
  } catch {
    throw new Error("XML 字段要写成 JSON");
  }
}

function outcomeRow(callback, isOpen) {
  return el(
    "li",
    {},
    el(
      "details",
      { "data-id": callback.id, open: isOpen ? "" : null },
      el(
        "summary",
        {},
        el("span", { class: `dot dot-${callback.state}`, "aria-hidden": "true" }),
        el("span", { class: "outcome-title" }, callback.title),
        el("span", { class: "outcome-at" }, longTime(callback.at)),
        el("span", { class: "outcome-words" }, `${callback.account}：${callback.outcome}`)
      ),
      el("p", { class: "hint" }, callback.event),
      el("pre", {}, callback.xml)
    )
  );
}
