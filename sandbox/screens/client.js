"use strict";

/* The client's side of the JS-SDK: pages in the frame or in a window ask, we answer.
   sandbox/wecom/js/client.js is the other end; what is allowed is decided by the server. */

const windows = new Map(); // opened pages: window, and where it stands

function newPlace(entry, more) {
  return { entry, external_userid: "", chat_id: "", agentid: "", agent_apis: [], corp_apis: [], ...more };
}

/** ``tools``: find(window) → place, base() → address of the member, effects by name */
function answerPages(tools) {
  window.addEventListener("message", async (event) => {
    const asked = event.data;
    const place = event.source && (windows.get(event.source) || tools.find(event.source));
    if (!place || !asked || asked.wecom !== true) return;
    const reply = (message) => event.source.postMessage({ wecom: true, ...message }, event.origin);
    if (asked.hello) {
      // A page that loads again has proved nothing yet.
      Object.assign(place, { agentid: "", agent_apis: [], corp_apis: [] });
      reply({ welcome: true });
      return;
    }
    const result = await answer(tools, place, asked, event.source);
    tools.note(asked.name, result.errMsg);
    reply({ call: asked.call, result });
  });
}

async function answer(tools, place, asked, source) {
  const { name, params, url } = asked;
  let result;
  try {
    result = await tell(`${tools.base()}/call`, { name, params, url, stands: place });
  } catch {
    return { errMsg: `${name}:fail` };
  }
  if (result.errMsg === "agentConfig:ok") {
    Object.assign(place, { agentid: String(params.agentid), agent_apis: params.jsApiList || [] });
  } else if (result.errMsg === "config:ok") {
    place.corp_apis = params.verifyJsApiList || [];
  }
  const { effect, ...answered } = result;
  if (!effect) return answered;
  const act = tools.effects[effect.name];
  const more = act ? await act(effect.params, source) : tools.effects.other(effect.name);
  // A word in place of an object means that the person thought better of it.
  return typeof more === "string" ? { errMsg: `${name}:${more}` } : { ...answered, ...more };
}
