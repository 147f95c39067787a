"use strict";

const phone = $("phone");
const isDesk = () => matchMedia("(min-width: 761px)").matches;

const opened = new URLSearchParams(location.search).get("chat") || "";
const state = {
  person: phone.dataset.person,
  view: opened ? "chat" : "chats", // chats, chat, events, scan, me
  account: opened,
  isTyping: false,
  openMenu: -1,
};

/* Opening pages as this person */

const addressOf = (url) => "/open?" + new URLSearchParams({ person: state.person, url });

function openPage(url) {
  if (!isDesk()) {
    location.href = addressOf(url);
    return;
  }
  const left = Math.max(0, window.screenX + (window.outerWidth - 414) / 2);
  open(addressOf(url), "_blank", `popup,width=414,height=800,left=${left},top=${window.screenY + 60}`);
}

function pageLink(url, look, ...children) {
  const onclick = (event) => {
    event.preventDefault();
    openPage(url);
  };
  return el("a", { class: look, href: addressOf(url), target: "_blank", onclick }, ...children);
}

/* The people at the desk */

async function showPeople() {
  const found = await ask("/phone/people?" + new URLSearchParams({ q: $("search").value }));
  if (!state.person && found.people.length && isDesk()) choose(found.people[0].id);
  $("people-rows").replaceChildren(...found.people.map((one) => personRow(one, false)));
  const more = found.total - found.people.length;
  $("people-more").hidden = more <= 0;
  $("people-more").textContent = `还有 ${more} 人，请搜索`;
}

function personRow(person, isInPhone) {
  const text = el("span", { class: "row-text" }, el("div", { class: "row-name" }, person.name));
  if (person.last) text.append(el("div", { class: "row-last" }, person.last));
  return el(
    "li",
    {},
    el(
      "button",
      {
        class: "row",
        type: "button",
        "data-person": person.id,
        "aria-current": String(person.id === state.person),
        onclick: () => choose(person.id, isInPhone),
      },
      avatar(person.name),
      text,
      badge(person.unread)
    )
  );
}

function choose(person) {
  Object.assign(state, { person, view: "chats", account: "", isTyping: false, openMenu: -1 });
  remember();
  refresh();
}

/* The screens of the phone */

function frame(title, { back = false, more = false } = {}) {
  $("title").textContent = title;
  $("back").hidden = !back;
  $("more").hidden = !more;
}

function tabs(unread) {
  const tab = (view, label) =>
    el(
      "button",
      {
        class: "tab",
        type: "button",
        "aria-current": state.view === view ? "page" : null,
        onclick: () => go(view),
      },
      icon(ICONS[view]),
      label,
      view === "chats" ? badge(unread) : null
    );
  $("foot").replaceChildren(
    el("nav", { class: "tabs" }, tab("chats", "微信"), tab("scan", "扫一扫"), tab("me", "换个人"))
  );
}

/** So that coming back from a page finds the phone as it was. */
function remember() {
  const place = { person: state.person, ...(state.account ? { chat: state.account } : {}) };
  history.replaceState(null, "", "/?" + new URLSearchParams(place));
}

function go(view, account = "") {
  Object.assign(state, { view, account, isTyping: false, openMenu: -1 });
  shown = "";
  remember();
  refresh();
}

async function showChats(mine) {
  frame(mine.unread ? `微信(${mine.unread})` : "微信");
  tabs(mine.unread);
  const rows = mine.chats.map((chat) =>
    el(
      "li",
      {},
      el(
        "button",
        {
          class: "row",
          type: "button",
          "data-account": chat.account,
          onclick: () => go("chat", chat.account),
        },
        avatar(chat.title, true),
        el(
          "span",
          { class: "row-text" },
          el("div", { class: "row-name" }, chat.title),
          el("div", { class: "row-last" }, chat.last || (chat.followed ? "已关注" : "公众号，尚未关注"))
        ),
        el("span", { class: "row-side" }, shortTime(chat.at), badge(chat.unread))
      )
    )
  );
  const empty = el("p", { class: "empty" }, "还没有公众号。请先在平台里添加一个公众号账户。");
  put(rows.length ? el("ul", { class: "rows" }, ...rows) : empty);
}

let shown = "";

/** Replace the screen, but only when it changed, so that nothing flickers or loses its focus. */
function put(node, { atEnd = false } = {}) {
  const html = state.view + state.person + node.outerHTML;
  if (html === shown) return;
  shown = html;
  $("screen").replaceChildren(node);
  if (atEnd) $("screen").scrollTop = $("screen").scrollHeight;
}

async function showChat(mine) {
  if (!mine.chats.some((one) => one.account === state.account)) {
    go("chats");
    return;
  }
  const chat = await ask(`/phone/${state.person}/chats/${encodeURIComponent(state.account)}`);
  if (state.view !== "chat" || state.account !== chat.account) return;
  frame(chat.title, { back: true, more: true });
  $("more").onclick = () => chatSheet(chat);
  const others = mine.unread - (mine.chats.find((one) => one.account === chat.account) || { unread: 0 }).unread;
  $("back-badge").hidden = others <= 0;
  $("back-badge").textContent = others;
  const list = el("div", { class: "chat" });
  let last = 0;
  for (const message of chat.messages) {
    const at = new Date(message.at).getTime();
    if (at - last > 300000) list.append(el("span", { class: "when" }, longTime(message.at)));
    last = at;
    list.append(messageNode(chat, mine, message));
  }
  put(list, { atEnd: true });
  chatFoot(chat);
}

function messageNode(chat, mine, message) {
  if (message.kind === "notice") return el("p", { class: "notice" }, message.text);
  if (message.kind === "template") return templateCard(chat, message);
  if (message.articles) return articleCard(message.articles[0]);
  const bubble = el("div", { class: "bubble" }, ...textParts(message));
  const face = message.mine ? avatar(mine.name) : avatar(chat.title, true);
  return el("div", { class: message.mine ? "said said-mine" : "said" }, face, bubble);
}

function templateCard(chat, message) {
  const lines = el("dl", { class: "card-lines" });
  for (const [label, value] of message.lines) {
    lines.append(el("dt", {}, label), el("dd", {}, value));
  }
  const more = el("button", { class: "card-dots", type: "button", "aria-label": "更多" }, el("span", { class: "dots" }));
  more.addEventListener("click", (event) => {
    event.preventDefault();
    event.stopPropagation();
    cardSheet(message);
  });
  const body = el(
    "div",
    { class: "card-body" },
    el("div", { class: "card-title" }, message.title, more),
    lines
  );
  if (!message.url && !message.miniprogram) return el("div", { class: "card" }, body);
  const foot = el("div", { class: "card-foot" }, message.miniprogram ? "小程序" : "详情");
  if (message.miniprogram) {
    const onclick = () => toast("沙盒里还没有小程序，请用网页链接");
    return el("div", { class: "card", onclick }, body, foot);
  }
  return pageLink(message.url, "card", body, foot);
}

function articleCard(article) {
  const body = el(
    "div",
    { class: "card-body" },
    el("div", { class: "card-title" }, article.title || ""),
    article.description ? el("p", { class: "card-sub" }, article.description) : null
  );
  const picture = article.picurl ? el("img", { class: "card-picture", src: article.picurl, alt: "" }) : null;
  return article.url ? pageLink(article.url, "card", picture, body) : el("div", { class: "card" }, picture, body);
}

const LINKS = /<a\s[^>]*href=["'](https?:[^"']+)["'][^>]*>([^<]*)<\/a>|(https?:\/\/[\w\-./?%&=#~:+,;@!$()*]+)/g;

function textParts(message) {
  if (message.kind === "msgmenu") return menuChoices(message);
  if (message.kind !== "text") {
    const words = [`[${message.name}] ${message.title || message.label || ""}`];
    return message.url ? [...words, pageLink(message.url, "choice", message.url)] : words;
  }
  const parts = [];
  let from = 0;
  for (const match of message.text.matchAll(LINKS)) {
    parts.push(message.text.slice(from, match.index));
    parts.push(pageLink(match[1] || match[3], "", match[2] || match[3]));
    from = match.index + match[0].length;
  }
  return [...parts, message.text.slice(from)];
}

function menuChoices(message) {
  const choices = (message.list || []).map((one) =>
    el("button", { class: "choice", type: "button", onclick: () => act("text", one.content) }, one.content)
  );
  return [message.head_content || "", ...choices, message.tail_content || ""];
}

const act = (name, value) =>
  trying(() =>
    tell(`/phone/${state.person}/chats/${encodeURIComponent(state.account)}`, { act: name, value })
  );

function chatFoot(chat) {
  const key = JSON.stringify([chat.account, state.person, chat.followed, chat.menu, state.isTyping, state.openMenu]);
  if ($("foot").dataset.key === key) return;
  $("foot").dataset.key = key;
  if (!chat.followed) {
    const button = el("button", { class: "button", type: "button", onclick: () => act("follow") }, "关注公众号");
    $("foot").replaceChildren(el("div", { class: "follow" }, button));
  } else if (chat.menu.length && !state.isTyping) {
    $("foot").replaceChildren(menuBar(chat));
  } else {
    $("foot").replaceChildren(composer(chat));
  }
}

function menuBar(chat) {
  const items = chat.menu.map((button, number) => {
    const children = button.sub_button || [];
    const item = el(
      "button",
      {
        class: children.length ? "menu-item has-more" : "menu-item",
        type: "button",
        "aria-expanded": children.length ? String(state.openMenu === number) : null,
        onclick: () => (children.length ? toggleMenu(chat, number) : tapMenu(button)),
      },
      button.name
    );
    const sub = children.map((one) => el("button", { type: "button", onclick: () => tapMenu(one) }, one.name));
    return el("div", {}, state.openMenu === number ? el("div", { class: "submenu" }, ...sub) : null, item);
  });
  return el("div", { class: "menu" }, toggle(chat, "keyboard", "输入文字"), ...items);
}

function toggleMenu(chat, number) {
  state.openMenu = state.openMenu === number ? -1 : number;
  chatFoot(chat);
}

function tapMenu(button) {
  state.openMenu = -1;
  if (button.type === "view") {
    openPage(button.url);
    act("view", button.url);
  } else if (button.type === "click") {
    act("click", button.key);
  } else if (button.type === "miniprogram") {
    toast("沙盒里还没有小程序，只告诉公众号");
    cause({ event: "view_miniprogram", key: button.pagepath || button.url });
  } else {
    // What was scanned, taken or found is for the person to say.
    showEvents().then(() => panel && panel.choose(button.type, { key: button.key }));
  }
  refresh();
}

/* 更多事件: whatever else can happen between a person and an account */

let panel = null;
let panelOf = "";

const cause = (wish) =>
  tell(`/phone/${state.person}/chats/${encodeURIComponent(state.account)}`, { act: "event", wish });

async function showEvents() {
  go("events", state.account);
  const owner = `${state.person} ${state.account}`;
  if (panelOf !== owner) {
    const chat = await ask(`/phone/${state.person}/chats/${encodeURIComponent(state.account)}`);
    const { forms } = await ask("/phone/forms");
    panelOf = owner;
    panel = eventPanel({ forms, defaults: () => ({ template_id: chat.template_id }), send: cause });
  }
  return refresh();
}

async function showEventPanel(mine) {
  const account = mine.chats.find((one) => one.account === state.account);
  if (!account) {
    go("chats");
    return;
  }
  frame(account.title, { back: true });
  $("foot").replaceChildren();
  if (!panel || panelOf !== `${state.person} ${state.account}`) return;
  if (!panel.node.isConnected) {
    $("screen").replaceChildren(panel.node);
    shown = "";
  }
  const { callbacks } = await ask(`/phone/${state.person}/chats/${encodeURIComponent(state.account)}/outcomes`);
  panel.showOutcomes(callbacks);
}

function toggle(chat, picture, label) {
  const onclick = () => {
    state.isTyping = !state.isTyping;
    chatFoot(chat);
    const input = $("foot").querySelector("input");
    if (input) input.focus();
  };
  return el("button", { class: "menu-toggle", type: "button", "aria-label": label, onclick }, icon(ICONS[picture]));
}

function composer(chat) {
  const input = el("input", { "aria-label": "发消息", placeholder: "发消息", autocomplete: "off", maxlength: 600 });
  const onsubmit = (event) => {
    event.preventDefault();
    if (input.value.trim()) act("text", input.value);
    input.value = "";
  };
  return el(
    "form",
    { class: "compose", onsubmit },
    chat.menu.length ? toggle(chat, "menu", "显示菜单") : null,
    input,
    el("button", { class: "send", type: "submit" }, "发送")
  );
}

/* Sheets from below */

function sheet(title, choices) {
  const close = () => ($("sheet").hidden = true);
  const buttons = choices.map(([label, work]) => {
    const onclick = () => {
      close();
      work();
    };
    return el("button", { type: "button", onclick }, label);
  });
  const cancel = el("button", { type: "button", onclick: close }, "取消");
  $("sheet").replaceChildren(el("div", {}, el("p", {}, title), ...buttons, cancel));
  $("sheet").hidden = false;
}

function chatSheet(chat) {
  const follow = chat.followed ? ["不再关注", () => act("unfollow")] : ["关注公众号", () => act("follow")];
  const block = chat.blocked ? ["接收消息", () => act("unblock")] : ["拒收该公众号的消息", () => act("block")];
  sheet(`${chat.title} · openid ${chat.openid}`, [["更多事件", () => trying(showEvents)], follow, block]);
}

function cardSheet(message) {
  const muted = message.muted ? ["恢复接收该模板消息", "unmute"] : ["拒收该模板消息", "mute"];
  sheet(message.title, [[muted[0], () => act(muted[1], message.template_id)]]);
}

/* The scanner */

async function showScanner(mine) {
  frame("扫一扫");
  tabs(mine.unread);
  const { codes } = await ask("/phone/codes");
  if (state.view !== "scan") return;
  if (!$("screen").querySelector(".scanner")) {
    $("screen").replaceChildren(scanner());
    shown = "";
  }
  const list = $("screen").querySelector(".codes");
  const key = codes.map((code) => code.ticket).join();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  const nothing = el("p", { class: "hint" }, "电脑上一出现公众号二维码，这里就会列出来。");
  list.replaceChildren(...(codes.length ? codes.map(codeRow) : [nothing]));
}

function scanner() {
  const file = el("input", { type: "file", accept: "image/*", "aria-label": "选择二维码图片" });
  file.addEventListener("change", () => file.files[0] && scanPicture(file.files[0]));
  const drop = el(
    "label",
    { class: "drop" },
    icon(ICONS.scan),
    "粘贴、拖入或选择二维码图片",
    el("small", {}, "可以直接截图后按 Ctrl+V"),
    file
  );
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("drop-over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files[0]) scanPicture(event.dataTransfer.files[0]);
    });
  }
  const input = el("input", { "aria-label": "二维码里的链接", placeholder: "或粘贴二维码里的链接", autocomplete: "off" });
  const onsubmit = (event) => {
    event.preventDefault();
    scanText(input.value);
  };
  return el(
    "div",
    { class: "scanner" },
    drop,
    el("form", { class: "scan-text", onsubmit }, input, el("button", { class: "send", type: "submit" }, "识别")),
    el("h3", {}, "刚生成的二维码"),
    el("div", { class: "codes" })
  );
}

function codeRow(code) {
  const picture = "/wechat/cgi-bin/showqrcode?" + new URLSearchParams({ ticket: code.ticket });
  return el(
    "button",
    { class: "code", type: "button", "data-scene": code.scene, onclick: () => scanText(code.url) },
    el("img", { src: picture, alt: "" }),
    el(
      "span",
      { class: "code-text" },
      el("div", { class: "code-title" }, code.title),
      el("div", { class: "code-scene" }, code.scene)
    )
  );
}

const scanText = (text) => trying(async () => scanned(await tell(`/phone/${state.person}/scan`, { text })));

const scanPicture = (picture) =>
  trying(async () => scanned(await ask(`/phone/${state.person}/picture`, { method: "POST", body: picture })));

function scanned(found) {
  if (found.url) openPage(found.url);
  else go("chat", found.account);
}

document.addEventListener("paste", (event) => {
  const picture = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
  if (state.view === "scan" && picture) scanPicture(picture);
});

/* Somebody else takes the phone */

async function showMe(mine) {
  frame("换个人");
  tabs(mine.unread);
  const old = $("screen").querySelector(".search");
  const wanted = old ? old.value : "";
  const found = await ask("/phone/people?" + new URLSearchParams({ q: wanted }));
  if (state.view !== "me") return;
  if (!old) {
    const input = el("input", { class: "search", type: "search", placeholder: "搜索姓名", "aria-label": "搜索姓名", oninput: refresh });
    $("screen").replaceChildren(el("div", {}, input, el("ul", { class: "rows" })));
    shown = "";
  }
  $("screen").querySelector(".rows").replaceChildren(...found.people.map((one) => personRow(one, true)));
}

/* Keeping the picture true */

const SCREENS = { chats: showChats, chat: showChat, events: showEventPanel, scan: showScanner, me: showMe };
let isBusy = false;
let isStale = false;
let arePeopleStale = true;

/** News must not move the rows under a hand that is about to choose one. */
function refreshLive() {
  if (!$("people-rows").matches(":hover")) arePeopleStale = true;
  redraw();
}

function refresh() {
  arePeopleStale = true;
  return redraw();
}

async function redraw() {
  if (isBusy) {
    isStale = true;
    return;
  }
  isBusy = true;
  try {
    do {
      isStale = false;
      await trying(draw);
    } while (isStale);
  } finally {
    isBusy = false;
  }
}

async function draw() {
  $("clock").textContent = new Date().toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false });
  if (isDesk() && arePeopleStale) {
    arePeopleStale = false;
    await showPeople();
  }
  if (!state.person) {
    state.view = "me";
    await showMe({ unread: 0, chats: [] });
    return;
  }
  const response = await fetch(`/phone/${state.person}`);
  if (response.status === 404) {
    state.person = "";
    isStale = true;
    return;
  }
  const mine = await response.json();
  $("holder").textContent = mine.name;
  mine.unread = mine.chats.reduce((sum, chat) => sum + chat.unread, 0);
  if (state.view !== "chat") $("foot").dataset.key = "";
  await SCREENS[state.view](mine);
}

$("back").addEventListener("click", () => (state.view === "events" ? go("chat", state.account) : go("chats")));
$("search").addEventListener("input", refresh);
$("people-rows").addEventListener("pointerleave", refresh);
new EventSource("/phone/live").addEventListener("message", refreshLive);
refresh();
