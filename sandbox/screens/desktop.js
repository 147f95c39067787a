"use strict";

const query = new URLSearchParams(location.search);
const state = {
  corpid: query.get("corp") || "",
  userid: query.get("member") || "",
  chat: query.get("chat") || "", // "app:NAME", "contact:ID" or "group:ID"
  side: "page", // page, profile, events
  view: query.get("chat") ? "chat" : "list", // on a small screen one of list, chat, side
  entry: "", // how the page in the frame was entered, when not by the toolbar
  asCustomer: false,
};
let corps = [];
let mine = null; // what the member sees
let current = null; // the open chat
let panel = null;
let isPicking = false;

const corp = () => corps.find((one) => one.corpid === state.corpid);
const base = () => `/desktop/${encodeURIComponent(state.corpid)}/members/${encodeURIComponent(state.userid)}`;
const chatKind = () => state.chat.split(":")[0];
const chatId = () => state.chat.slice(state.chat.indexOf(":") + 1);
const isContact = () => chatKind() === "contact";

function remember() {
  const place = { corp: state.corpid, member: state.userid, ...(state.chat ? { chat: state.chat } : {}) };
  history.replaceState(null, "", "/desktop?" + new URLSearchParams(place));
}

/* Events go through one of the corp's apps; which one matters only for what an app alone hears. */

function appOf() {
  const apps = corp() ? corp().apps : [];
  const wanted = chatKind() === "app" ? chatId() : localStorage.getItem(`app ${state.corpid}`);
  return apps.find((one) => one.account === wanted) || apps[0];
}

const cause = (wish) => tell(`/desktop/${encodeURIComponent(state.corpid)}/events`, { account: appOf().account, ...wish });
const causing = (wish) => trying(async () => refresh(await cause({ userid: state.userid, ...wish })));

/* Choosing corp and member */

function showWho() {
  $("corp").hidden = corps.length < 2;
  $("corp").replaceChildren(
    ...corps.map((one) => el("option", { value: one.corpid, selected: one.corpid === state.corpid ? "" : null }, `${one.title}（${one.corpid}）`))
  );
  const name = mine ? mine.name : "选择成员";
  $("who").replaceChildren(avatar(name), el("span", { class: "row-name" }, name), el("span", { class: "faint" }, mine ? mine.userid : ""));
}

async function showPicker() {
  $("picker").hidden = !isPicking;
  $("chats").hidden = isPicking;
  $("who").setAttribute("aria-expanded", String(isPicking));
  if (!isPicking) return;
  const found = await ask(`/desktop/${encodeURIComponent(state.corpid)}/members?` + new URLSearchParams({ q: $("member-search").value }));
  $("members").replaceChildren(...found.members.map(memberRow));
  const more = found.total - found.members.length;
  $("members-more").hidden = more <= 0 && found.total > 0;
  $("members-more").textContent = found.total ? `还有 ${more} 人，请搜索` : "没有这样的成员";
}

function memberRow(member) {
  const onclick = () => enter(state.corpid, member.userid);
  const text = el("span", { class: "row-text" }, el("div", { class: "row-name" }, member.name), el("div", { class: "row-last" }, member.userid));
  return el("li", {}, el("button", { class: "row", type: "button", "data-userid": member.userid, onclick }, avatar(member.name), text, badge(member.unread)));
}

function enter(corpid, userid) {
  Object.assign(state, { corpid, userid, chat: "", view: "list", side: "page", entry: "" });
  isPicking = !userid;
  current = mine = null;
  remember();
  refresh();
}

/* The list of chats */

function row(key, name, { last = "", at = "", unread = 0, isApp = false, extra = null }) {
  const text = el("span", { class: "row-text" }, el("div", { class: "row-name" }, name, extra), el("div", { class: "row-last" }, last));
  const side = el("span", { class: "row-side" }, shortTime(at), badge(unread));
  return el(
    "li",
    {},
    el(
      "button",
      { class: "row", type: "button", "data-chat": key, "aria-current": String(key === state.chat), onclick: () => go(key) },
      avatar(name, isApp),
      text,
      side
    )
  );
}

function contactRow(one) {
  const name = one.remark || one.name;
  const mark = one.lost ? "已删除你" : one.type === 1 ? "微信" : "企业微信";
  return row(`contact:${one.external_userid}`, name, { last: one.last || "可以开始聊天了", at: one.at, extra: el("span", { class: `mark mark-${one.lost ? "lost" : one.type}` }, `@${mark}`) });
}

const section = (title, rows) => (rows.length ? [el("h3", {}, title), el("ul", { class: "rows" }, ...rows)] : []);

function showRows() {
  const apps = mine.apps.map((one) => row(`app:${one.account}`, one.title, { last: one.last, at: one.at, unread: one.unread, isApp: true }));
  const groups = mine.chats.map((one) => row(`group:${one.chat_id}`, one.name, { last: `${one.members} 人` }));
  const list = el(
    "div",
    {},
    ...section("待发送的群发", mine.tasks.map(taskCard)),
    ...section("应用", apps),
    ...section("客户", mine.contacts.map(contactRow)),
    ...section("客户群", groups)
  );
  if (!mine.contacts.length) list.append(el("p", { class: "hint list-hint" }, $("search").value ? "没有找到这样的客户。" : "还没有客户。点“添加客户”，让一个人扫码加上这位成员。"));
  const more = mine.contacts_total - mine.contacts.length;
  if (more > 0) list.append(el("p", { class: "hint list-hint" }, `还有 ${more} 位客户，请搜索`));
  replace("rows", list);
}

function taskCard(task) {
  const words = task.text || task.attachments.map((one) => `[${one.name}] ${one.title}`).join(" ");
  const to = task.to.join("、") + (task.count > task.to.length ? ` 等 ${task.count} 个` : "");
  const onclick = () => causing({ event: "confirm_group_message", msgid: task.msgid, account: task.account });
  return el(
    "li",
    { class: "task", "data-msgid": task.msgid },
    el("p", { class: "task-words" }, words),
    el("p", { class: "hint" }, `发给 ${to}`),
    el("button", { class: "send", type: "button", onclick }, "确认发送")
  );
}

const drawn = {};

/** Replace what an element holds, but only when it changed, so that nothing flickers. */
function replace(id, node, key = "") {
  const html = key + node.outerHTML;
  if (drawn[id] === html) return false;
  drawn[id] = html;
  $(id).replaceChildren(node);
  return true;
}

function go(chat, side = state.side) {
  Object.assign(state, { chat, view: chat ? "chat" : "list", entry: "", asCustomer: false });
  state.side = chat.startsWith("contact") || side !== "profile" ? side : "page";
  drawn.screen = drawn.foot = "";
  remember();
  refresh().then(() => panel && panel.refill());
}

/* The open chat */

const PATHS = { app: "apps", contact: "contacts", group: "chats" };

async function showChat() {
  if (!state.chat) {
    current = null;
    $("title").textContent = $("subtitle").textContent = "";
    replace("screen", el("p", { class: "empty" }, mine ? "选一个会话" : "先选一位成员"));
    replace("foot", el("div", {}));
    return;
  }
  const wanted = state.chat;
  const found = await ask(`${base()}/${PATHS[chatKind()]}/${encodeURIComponent(chatId())}`).catch(() => null);
  if (wanted !== state.chat) return;
  if (!found) {
    go("");
    return;
  }
  current = found;
  const relation = current.relation;
  $("title").textContent = (relation && relation.remark) || current.title || current.name;
  $("subtitle").textContent = subtitle();
  const list = el("div", { class: "chat" });
  let last = 0;
  for (const message of current.messages) {
    const at = new Date(message.at).getTime();
    if (at - last > 300000) list.append(el("span", { class: "when" }, longTime(message.at)));
    last = at;
    list.append(messageNode(message));
  }
  if (!current.messages.length) list.append(el("p", { class: "notice" }, isContact() ? "你们已经是好友，可以开始聊天了" : "还没有消息"));
  if (replace("screen", list, state.chat)) $("screen").scrollTop = $("screen").scrollHeight;
  replace("foot", footer(), state.chat + state.asCustomer);
}

function subtitle() {
  if (chatKind() === "app") return `应用 ${current.agentid}`;
  if (chatKind() === "group") return `${current.members} 人`;
  if (!current.relation) return "已经不是你的客户";
  if (current.relation.lost) return "对方已经把你删除";
  return `${current.name} · ${current.type === 1 ? "微信" : current.corp_name || "企业微信"}${current.relation.half ? " · 尚未互为好友" : ""}`;
}

const VIA = { welcome: "欢迎语", group: "群发", sidebar: "侧边栏发送" };

function messageNode(message) {
  if (message.kind === "notice") return el("p", { class: "notice" }, message.text);
  const body = messageBody(message, { openPage, tap: tapCard, menu: showMenu });
  if (message.recalled) return body;
  const name = message.mine ? mine.name : message.speaker || current.title || current.name;
  const face = avatar(name, chatKind() === "app" && !message.mine);
  const via = VIA[message.via] ? el("small", { class: "faint via" }, VIA[message.via]) : null;
  return el("div", { class: message.mine ? "said said-mine" : "said" }, face, el("div", { class: "said-body" }, body, via));
}

const tapCard = (message, event, key, selected) => causing({ event, msgid: message.id, key, selected });

function showMenu(menu, choose) {
  dialog(menu.desc || "更多", (close) =>
    menu.action_list.map((one) =>
      el("button", { class: "dialog-choice", type: "button", onclick: () => (close(), choose(one.key)) }, one.text)
    )
  );
}

function footer() {
  if (isContact() && !(current.relation && !current.relation.lost)) return el("p", { class: "hint foot-hint" }, "不是好友，不能发消息");
  const who = isContact() ? el("div", { class: "as", role: "group", "aria-label": "以谁的身份" }, asButton(false, mine.name), asButton(true, current.name)) : null;
  const input = el("textarea", { rows: 2, "aria-label": "消息", placeholder: placeholder(), maxlength: 2000 });
  const form = el("form", { class: "compose" }, input, el("button", { class: "send", type: "submit" }, "发送"));
  const submit = async () => {
    const text = input.value.trim();
    if (text && (await trying(() => speak(text)))) input.value = "";
    refresh();
  };
  form.addEventListener("submit", (event) => (event.preventDefault(), submit()));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  return el("div", {}, who, form);
}

function placeholder() {
  if (!isContact()) return "发消息，回车发送";
  return state.asCustomer ? `以客户 ${current.name} 的身份写` : `发给 ${current.name}，回车发送`;
}

function asButton(asCustomer, name) {
  const onclick = () => {
    const written = $("foot").querySelector("textarea").value;
    state.asCustomer = asCustomer;
    replace("foot", footer(), state.chat + state.asCustomer);
    $("foot").querySelector("textarea").value = written;
  };
  return el("button", { type: "button", "aria-pressed": String(state.asCustomer === asCustomer), onclick }, asCustomer ? `客户 ${name}` : `成员 ${name}`);
}

function speak(text) {
  if (isContact()) return tell(`${base()}/contacts/${encodeURIComponent(chatId())}`, { text, from_contact: state.asCustomer });
  if (chatKind() === "group") return cause({ event: "write_in_chat", chat_id: chatId(), userid: state.userid, content: text });
  return cause({ event: "text", userid: state.userid, content: text });
}

/* Pages: beside the chat, or in a window */

const addressOf = (url) => `${base()}/open?` + new URLSearchParams({ account: appOf().account, url });

function openPage(url) {
  const opened = window.open(addressOf(url), "_blank", "popup,width=480,height=760");
  if (opened) windows.set(opened, newPlace("normal", {}));
}

const ENTRIES = { contact: "single_chat_tools", group: "group_chat_tools", app: "normal" };
let framePlace = null;
let frameKey = "";

function showPage() {
  const app = appOf();
  if (!app || !mine) return;
  const url = chatKind() === "app" ? app.home : app.sidebar;
  const entry = state.entry || ENTRIES[chatKind()] || "normal";
  const isFriend = isContact() && current && current.relation && !current.relation.lost;
  const more = { external_userid: isFriend ? chatId() : "", chat_id: chatKind() === "group" ? chatId() : "" };
  $("page-title").textContent = app.title;
  const key = state.chat && url ? JSON.stringify([base(), app.account, url, state.chat, entry, more]) : "";
  if (key && key === frameKey) return;
  frameKey = key;
  framePlace = key ? newPlace(entry, more) : null;
  $("frame").hidden = !key;
  $("page-hint").textContent = key
    ? `${entry} · ${url}`
    : state.chat ? "还没有填侧边栏的地址，请点“设置”。" : "选一个会话，这里就打开侧边栏。";
  if (key) $("frame").src = addressOf(url);
  else $("frame").removeAttribute("src");
}

function showSettings() {
  const app = appOf();
  const which = el("select", { name: "account" }, ...corp().apps.map((one) => el("option", { value: one.account, selected: one.account === app.account ? "" : null }, one.title)));
  const entries = ["single_chat_tools", "contact_profile", "group_chat_tools", "chat_attachment", "normal"];
  const entry = el("select", { name: "entry" }, ...entries.map((one) => el("option", { value: one, selected: one === (framePlace ? framePlace.entry : "") ? "" : null }, one)));
  const sidebar = el("input", { name: "sidebar", value: app.sidebar, type: "url" });
  const home = el("input", { name: "home", value: app.home, type: "url" });
  which.addEventListener("change", () => {
    const chosen = corp().apps.find((one) => one.account === which.value);
    sidebar.value = chosen.sidebar;
    home.value = chosen.home;
  });
  formDialog("侧边栏设置", [["应用", which], ["侧边栏地址", sidebar], ["应用主页", home], ["入口（getContext 的 entry）", entry]], "保存", async () => {
    await tell(`/desktop/${encodeURIComponent(state.corpid)}/addresses`, { account: which.value, sidebar: sidebar.value, home: home.value });
    localStorage.setItem(`app ${state.corpid}`, which.value);
    state.entry = entry.value;
    await loadCorps();
    frameKey = "";
  }, "页面里的网页要允许被这个沙盒嵌入（frame-ancestors）。");
}

answerPages({
  base,
  find: (source) => (source === $("frame").contentWindow ? framePlace : null),
  note: (name, result) => {
    if (!/:ok$/.test(result)) toast(result);
    refresh();
  },
  effects: {
    shareToExternalContact: (params) => shareSheet(params),
    navigateToAddCustomer: () => addCustomer(),
    selectExternalContact: async () => {
      const picked = await pick("选择客户", mine.contacts.map((one) => [one.external_userid, one.remark || one.name]));
      return picked ? { userIds: picked } : "cancel";
    },
    selectEnterpriseContact: async () => {
      const found = await ask(`/desktop/${encodeURIComponent(state.corpid)}/members?q=`);
      const picked = await pick("选择成员", found.members.map((one) => [one.userid, one.name]));
      const userList = found.members.filter((one) => picked && picked.includes(one.userid)).map((one) => ({ id: one.userid, name: one.name, avatar: "" }));
      return picked ? { result: { userList, departmentList: [] } } : "cancel";
    },
    openUserProfile: (params) => {
      if (mine.contacts.some((one) => one.external_userid === params.userid)) go(`contact:${params.userid}`, "profile");
      else toast(`成员资料：${params.userid}`);
    },
    openEnterpriseChat: (params) => {
      const [first, ...others] = [params.externalUserIds || []].flat().flatMap((one) => one.split(";")).filter(Boolean);
      if (first && !others.length) go(`contact:${first}`);
      else toast("打开群聊");
    },
    previewImage: (params) => view(params.current || (params.urls || [])[0]),
    previewFile: (params) => view(params.url),
    openDefaultBrowser: (params) => view(params.url),
    getNetworkType: () => ({ networkType: "wifi" }),
    setClipboardData: () => toast("已复制"),
    closeWindow: (_, source) => {
      if (windows.delete(source)) source.close();
      else $("frame").removeAttribute("src");
    },
    other: (name) => toast(`页面调用了 ${name}`),
  },
});

const view = (url) => (/^https?:/.test(url || "") ? void window.open(url, "_blank", "noopener") : "fail");

function shareSheet(params) {
  const names = params.to.map((id) => (mine.contacts.find((one) => one.external_userid === id) || { name: id }).name);
  const text = (params.text || {}).content || params.title || "";
  return new Promise((resolve) => {
    dialog(
      "群发助手",
      (close) => [
        el("p", {}, `发给 ${names.join("、") || "（没有选客户）"}`),
        el("blockquote", { class: "card-quote" }, text, el("p", { class: "card-sub" }, `附件 ${(params.attachments || []).length} 个`)),
        el("button", { class: "button", type: "button", onclick: async () => {
          resolve((await trying(() => tell(`${base()}/share`, { params, to: params.to }))) ? {} : "fail");
          close();
        } }, "发送"),
      ],
      () => resolve("cancel")
    );
  });
}

function pick(title, rows) {
  return new Promise((resolve) => {
    dialog(
      title,
      (close) => {
        const list = el("div", { class: "pick" }, ...rows.map(([id, name]) => el("label", {}, el("input", { type: "checkbox", value: id }), name)));
        const onclick = () => {
          resolve([...list.querySelectorAll("input:checked")].map((one) => one.value));
          close();
        };
        return [list, el("button", { class: "button", type: "button", onclick }, "确定")];
      },
      () => resolve(null)
    );
  });
}

/* Dialogues */

function dialog(title, build, onclosed = () => {}) {
  const node = $("dialog");
  const close = () => node.close();
  const cross = el("button", { class: "cross", type: "button", "aria-label": "关闭", onclick: close }, "×");
  node.replaceChildren(el("header", {}, el("h3", {}, title), cross), ...build(close));
  node.onclose = onclosed;
  node.showModal();
}

function formDialog(title, fields, button, work, hint = "") {
  dialog(title, (close) => {
    const problem = el("p", { class: "problem", role: "alert", hidden: true });
    const form = el(
      "form",
      {},
      ...fields.map(([label, input]) => el("label", { class: "field" }, el("span", {}, label), input)),
      hint ? el("p", { class: "hint" }, hint) : null,
      problem,
      el("button", { class: "button", type: "submit" }, button)
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await work();
        close();
        refresh();
      } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
      }
    });
    return [form];
  });
}

const customers = async () => (await ask(`${base()}?q=`)).contacts.map((one) => one.external_userid);

async function addCustomer() {
  const { contacts, ways } = await ask(`${base()}/strangers`);
  const who = el("select", {}, el("option", { value: "" }, "一个新的人"), ...contacts.map((one) => el("option", { value: one.external_userid }, one.name)));
  const name = el("input", { placeholder: "可不填", autocomplete: "off" });
  const way = el("select", {}, el("option", { value: "" }, "直接扫这位成员的二维码"), ...ways.map((one) => el("option", { value: one.id }, one.title)));
  const channel = el("input", { placeholder: "可不填", autocomplete: "off", maxlength: 64 });
  way.addEventListener("change", () => {
    channel.closest("label").hidden = Boolean(way.value);
  });
  formDialog("添加客户", [["谁来添加", who], ["姓名", name], ["扫哪个码", way], ["渠道（state）", channel]], "扫码添加", async () => {
    const person = { userid: state.userid, external_userid: who.value, name: name.value.trim() };
    const scanned = way.value ? { event: "scan_code", config_id: way.value } : { event: "add_external_contact", state: channel.value.trim() };
    const before = await customers();
    await cause({ ...person, ...scanned });
    const added = who.value || (await customers()).find((one) => !before.includes(one));
    if (added) go(`contact:${added}`);
  }, "平台会收到 add_external_contact，欢迎语要在 20 秒内发出。");
}

/* The customer */

function showProfile() {
  if (!isContact() || !current) {
    replace("pane-profile", el("p", { class: "empty" }, "打开一位客户的会话，这里有客户资料。"));
    return;
  }
  const relation = current.relation;
  const rows = [["外部联系人", current.external_userid], ["姓名", current.name]];
  if (relation) {
    rows.push(["备注", relation.remark || "无"], ["描述", relation.description || "无"], ["添加方式", relation.add_way], ["渠道 state", relation.state || "无"]);
    rows.push(["标签", relation.tags.join("、") || "无"], ["电话", relation.mobiles.join("、") || "无"], ["添加时间", new Date(relation.since).toLocaleString("zh-CN", { hour12: false })]);
  }
  const list = el("dl", { class: "profile" }, ...rows.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]));
  const person = { external_userid: current.external_userid };
  const buttons = relation && !relation.lost
    ? [
        ["修改备注", () => editRemark(relation)],
        ["成员删除客户", () => causing({ event: "del_external_contact", ...person })],
        ["客户删除成员", () => causing({ event: "del_follow_user", ...person })],
      ]
    : [["客户重新添加成员", () => causing({ event: "add_external_contact", ...person })]];
  const acts = el("div", { class: "profile-acts" }, ...buttons.map(([label, onclick]) => el("button", { class: "button button-quiet", type: "button", onclick }, label)));
  replace("pane-profile", el("div", {}, list, acts));
}

function editRemark(relation) {
  const remark = el("input", { value: relation.remark, maxlength: 20 });
  const description = el("textarea", { rows: 3, maxlength: 150 }, relation.description);
  const person = { userid: state.userid, external_userid: current.external_userid };
  formDialog("修改备注", [["备注", remark], ["描述", description]], "保存", () =>
    cause({ event: "edit_external_contact", ...person, remark: remark.value, description: description.value })
  );
}

/* The side */

const SIDES = [["page", "侧边栏"], ["profile", "客户资料"], ["events", "事件"]];

function showSide() {
  replace(
    "side-tabs",
    el(
      "div",
      { role: "tablist" },
      el("button", { class: "bar-button only-small", type: "button", "aria-label": "返回", onclick: () => look("chat") }, el("span", { class: "chevron" })),
      ...SIDES.map(([side, label]) => el("button", { type: "button", role: "tab", "aria-selected": String(side === state.side), onclick: () => turn(side) }, label))
    )
  );
  for (const [side] of SIDES) $(`pane-${side}`).hidden = side !== state.side;
  document.body.dataset.view = state.view;
}

function turn(side) {
  state.side = side;
  refresh();
}

function look(view) {
  state.view = view === "chat" && !state.chat ? "list" : view;
  refresh();
}

async function showEvents() {
  if (!panel) return;
  const { callbacks } = await ask(`/desktop/${encodeURIComponent(state.corpid)}/outcomes`);
  panel.showOutcomes(callbacks);
}

const anyContact = () => (mine && mine.contacts.length ? mine.contacts[0].external_userid : "");

async function makePanel() {
  const { forms } = await ask("/desktop/forms");
  panel = eventPanel({
    forms,
    defaults: () => ({ userid: state.userid, external_userid: isContact() ? chatId() : anyContact(), ...(mine ? mine.known : {}), ...(chatKind() === "group" ? { chat_id: chatId() } : {}) }),
    send: async (wish) => refresh(await cause(wish)),
  });
  const apps = el("p", { class: "hint list-hint" }, "事件由沙盒发给企业的应用；回调结果就在下面。");
  $("pane-events").replaceChildren(apps, panel.node);
}

/* Keeping the picture true */

async function loadCorps() {
  corps = (await ask("/desktop/corps")).corps;
  if (!corp()) state.corpid = corps.length ? corps[0].corpid : "";
}

async function draw() {
  await loadCorps();
  if (!state.corpid) {
    replace("screen", el("p", { class: "empty" }, "还没有企业微信应用。请先在平台里添加一个，再在沙盒里创建同样的账户。"));
    showSide();
    return;
  }
  if (!state.userid && !isPicking) await chooseFirst();
  mine = state.userid ? await ask(`${base()}?` + new URLSearchParams({ q: $("search").value })).catch(() => null) : null;
  if (state.userid && !mine) Object.assign(state, { userid: "", chat: "" });
  showWho();
  await showPicker();
  if (mine) showRows();
  await showChat();
  showSide();
  showPage();
  if (state.side === "profile") showProfile();
  if (state.side === "events") await showEvents();
}

async function chooseFirst() {
  const found = await ask(`/desktop/${encodeURIComponent(state.corpid)}/members?q=`);
  if (found.members.length) state.userid = found.members[0].userid;
  isPicking = !state.userid;
}

let isBusy = false;
let isStale = false;

async function refresh() {
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

$("corp").addEventListener("change", () => enter($("corp").value, ""));
$("who").addEventListener("click", () => {
  isPicking = !isPicking;
  refresh();
});
$("member-search").addEventListener("input", refresh);
$("search").addEventListener("input", refresh);
$("add").addEventListener("click", () => trying(addCustomer));
$("back").addEventListener("click", () => go(""));
$("show-side").addEventListener("click", () => look("side"));
$("reload").addEventListener("click", () => {
  frameKey = "";
  showPage();
});
$("settings").addEventListener("click", showSettings);
new EventSource("/desktop/live").addEventListener("message", refresh);
trying(makePanel).then(refresh);
