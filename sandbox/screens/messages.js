"use strict";

/* How messages look on the desktop: texts, links, files, and the five kinds of template cards. */

const LINK = /https?:\/\/[\w\-./?%&=#~:+,;@!$()*]+/g;

function linkedText(text, openPage) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(from, match.index), webLink(match[0], openPage, "", match[0]));
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

function webLink(url, openPage, look, ...children) {
  const onclick = (event) => {
    event.preventDefault();
    openPage(url);
  };
  return el("a", { class: look, href: url, onclick }, ...children);
}

const picture = (url) => el("img", { class: "card-picture", src: url, alt: "" });

/** ``tools``: openPage(url), tap(message, event, key, selected) */
function messageBody(message, tools) {
  if (message.recalled) return el("p", { class: "notice" }, "消息已撤回");
  const draw = BODIES[message.kind];
  return draw ? draw(message, tools) : el("div", { class: "bubble" }, `[${message.name}] ${message.title}`);
}

const textBody = (message, tools) => el("div", { class: "bubble" }, ...linkedText(message.text, tools.openPage));

function fileBody(message) {
  const content = message.content;
  const id = content.media_id || content.mediaid || content.MediaId || "";
  return el("div", { class: "bubble" }, `[${message.name}] ${content.title || content.Title || ""}`, el("small", { class: "faint" }, id.slice(0, 24)));
}

const imageBody = (message) =>
  message.picture ? el("img", { class: "photo", src: message.picture, alt: "图片" }) : fileBody(message);

function linkBody(message, tools) {
  const content = message.content;
  const url = content.url || content.link || content.Url || "";
  const body = el(
    "div",
    { class: "card-body" },
    el("div", { class: "card-title" }, message.title || url),
    el("p", { class: "card-sub" }, content.desc || content.description || content.Description || "")
  );
  const cover = message.picture ? picture(message.picture) : null;
  return url ? webLink(url, tools.openPage, "card link-card", cover, body) : el("div", { class: "card" }, cover, body);
}

function newsBody(message, tools) {
  const articles = message.content.articles;
  if (!Array.isArray(articles)) return linkBody(message, tools);
  return el(
    "div",
    { class: "card" },
    ...articles.map((one) => {
      const body = el("div", { class: "card-body" }, el("div", { class: "card-title" }, one.title || ""), el("p", { class: "card-sub" }, one.description || one.digest || ""));
      const cover = one.picurl ? picture(one.picurl) : null;
      const url = one.url || one.content_source_url;
      return url ? webLink(url, tools.openPage, "article", cover, body) : el("div", { class: "article" }, cover, body);
    })
  );
}

function programBody(message) {
  return el(
    "div",
    { class: "card" },
    el("div", { class: "card-body" }, el("div", { class: "card-title" }, message.title), el("p", { class: "card-sub" }, message.content.page || "")),
    message.picture ? picture(message.picture) : null,
    el("div", { class: "card-kind" }, "小程序")
  );
}

function noticeBody(message) {
  const content = message.content;
  const rows = (content.content_item || []).flatMap((one) => [el("dt", {}, one.key), el("dd", {}, one.value)]);
  return el(
    "div",
    { class: "card" },
    el("div", { class: "card-body" }, el("div", { class: "card-title" }, content.title), el("p", { class: "card-sub" }, content.description || ""), el("dl", { class: "card-lines" }, ...rows)),
    el("div", { class: "card-kind" }, "小程序")
  );
}

function textCardBody(message, tools) {
  const content = message.content;
  // The description may hold div, b and br; only its words are shown here.
  const words = new DOMParser().parseFromString(content.description || "", "text/html").body.textContent;
  const body = el("div", { class: "card-body" }, el("div", { class: "card-title" }, content.title), el("p", { class: "card-sub" }, words));
  return webLink(content.url, tools.openPage, "card", body, el("div", { class: "card-foot" }, content.btntxt || "详情"));
}

function placeBody(message) {
  const content = message.content;
  return el("div", { class: "bubble" }, `[位置] ${content.Label || ""}`, el("small", { class: "faint" }, `${content.Location_X}, ${content.Location_Y}`));
}

/* Template cards */

const chosen = new Map(); // what was picked in a card before it was sent, by message and question

function cardBody(message, tools) {
  const card = message.content;
  const isDone = card.button_replaced !== undefined;
  const parts = [
    cardHead(message, card, tools),
    card.card_image ? picture(card.card_image.url) : null,
    el("div", { class: "card-body" }, ...cardWords(card, tools)),
    ...cardLinks(card, tools),
    ...cardQuestions(message, card, isDone),
    isDone ? el("div", { class: "card-buttons" }, el("button", { type: "button", disabled: "" }, card.button_replaced)) : cardButtons(message, card, tools),
  ];
  const node = el("div", { class: "card template-card", "data-msgid": message.id }, ...parts.filter(Boolean));
  const action = card.card_action || {};
  if (action.type === 1) node.querySelector(".card-title").append(webLink(action.url, tools.openPage, "card-open", "查看"));
  return node;
}

function cardHead(message, card, tools) {
  const menu = card.action_menu;
  if (!card.source && !menu) return null;
  const dots = menu
    ? el("button", { class: "card-dots", type: "button", "aria-label": "更多", onclick: () => tools.menu(menu, (key) => tools.tap(message, "template_card_menu_event", key, {})) }, el("span", { class: "dots" }))
    : null;
  return el("div", { class: "card-source" }, (card.source || {}).desc || "", dots);
}

function cardWords(card, tools) {
  const title = card.main_title || {};
  const words = [el("div", { class: "card-title" }, title.title || ""), title.desc ? el("p", { class: "card-sub" }, title.desc) : null];
  const big = card.emphasis_content;
  if (big) words.push(el("p", { class: "card-big" }, big.title || ""), el("p", { class: "card-sub" }, big.desc || ""));
  const area = card.image_text_area;
  if (area) words.push(el("div", { class: "card-quote" }, picture(area.image_url), area.title || "", el("p", { class: "card-sub" }, area.desc || "")));
  const quote = card.quote_area;
  if (quote) words.push(el("blockquote", { class: "card-quote" }, quote.title || "", el("p", { class: "card-sub" }, quote.quote_text || "")));
  if (card.sub_title_text) words.push(el("p", {}, card.sub_title_text));
  for (const one of card.vertical_content_list || []) words.push(el("p", {}, one.title), el("p", { class: "card-sub" }, one.desc || ""));
  const rows = (card.horizontal_content_list || []).flatMap((one) => [
    el("dt", {}, one.keyname),
    el("dd", {}, one.type === 1 ? webLink(one.url, tools.openPage, "", one.value || one.url) : one.value || one.userid || ""),
  ]);
  if (rows.length) words.push(el("dl", { class: "card-lines" }, ...rows));
  return words.filter(Boolean);
}

const cardLinks = (card, tools) =>
  (card.jump_list || []).map((one) =>
    one.type === 1 ? webLink(one.url, tools.openPage, "card-foot", one.title) : el("div", { class: "card-foot" }, one.title)
  );

function cardQuestions(message, card, isDone) {
  const questions = [];
  if (card.checkbox) questions.push(choices(message, card.checkbox, isDone || card.checkbox.disable));
  for (const one of [card.button_selection, ...(card.select_list || [])].filter(Boolean)) {
    questions.push(selection(message, one, isDone || one.disable));
  }
  return questions;
}

const choiceKey = (message, question) => `${message.id} ${question.question_key}`;

function choices(message, question, isOff) {
  const isMany = question.mode === 1;
  const key = choiceKey(message, question);
  const initial = question.option_list.filter((one) => one.is_checked).map((one) => one.id);
  const picked = chosen.get(key) || initial;
  const list = el("div", { class: "card-question", "data-question": question.question_key });
  list.addEventListener("change", () => chosen.set(key, [...list.querySelectorAll("input:checked")].map((one) => one.value)));
  for (const one of question.option_list) {
    const input = el("input", {
      type: isMany ? "checkbox" : "radio",
      name: key,
      value: one.id,
      checked: picked.includes(one.id) ? "" : null,
      disabled: isOff ? "" : null,
    });
    list.append(el("label", {}, input, one.text));
  }
  return list;
}

function selection(message, question, isOff) {
  const key = choiceKey(message, question);
  const picked = (chosen.get(key) || [question.selected_id])[0];
  const options = question.option_list.map((one) => el("option", { value: one.id, selected: one.id === picked ? "" : null }, one.text));
  const select = el("select", { disabled: isOff ? "" : null }, ...options);
  const list = el("label", { class: "card-question", "data-question": question.question_key }, el("span", {}, question.title || "请选择"), select);
  list.addEventListener("change", () => chosen.set(key, [select.value]));
  return list;
}

function selectedIn(node) {
  const selected = {};
  for (const question of node.querySelectorAll("[data-question]")) {
    const select = question.querySelector("select");
    const ids = select ? [select.value] : [...question.querySelectorAll("input:checked")].map((one) => one.value);
    if (ids.length) selected[question.dataset.question] = ids;
  }
  return selected;
}

function cardButtons(message, card, tools) {
  const buttons = card.submit_button ? [card.submit_button] : card.button_list || [];
  if (!buttons.length) return null;
  return el(
    "div",
    { class: "card-buttons" },
    ...buttons.map((one) => {
      if (one.type === 1) return webLink(one.url, tools.openPage, `style-${one.style || 1}`, one.text);
      const onclick = (event) => tools.tap(message, "template_card_event", one.key, selectedIn(event.target.closest(".card")));
      return el("button", { type: "button", class: `style-${one.style || 1}`, onclick }, one.text);
    })
  );
}

const BODIES = {
  text: textBody,
  markdown: textBody,
  image: imageBody,
  voice: fileBody,
  video: fileBody,
  file: fileBody,
  location: placeBody,
  link: linkBody,
  news: newsBody,
  mpnews: newsBody,
  miniprogram: programBody,
  miniprogram_notice: noticeBody,
  textcard: textCardBody,
  template_card: cardBody,
};
