/* Plays the WeCom client around a page: gives it a WeixinJSBridge when the page is open inside the
   sandbox's desktop, in a frame or in a window of its own. Anywhere else there is no bridge, and
   the SDK above waits for ever without a word, as the real one does. */
(function () {
  "use strict";
  if (window.__wecomClient) return;
  var origin = new URL(document.currentScript.src).origin;
  var desktop = window.parent !== window ? window.parent : window.opener;
  var waiting = new Map();
  var calls = 0;

  function tell(message) {
    desktop.postMessage(Object.assign({ wecom: true, url: location.href.split("#")[0] }, message), origin);
  }

  function invoke(name, params, callback) {
    calls += 1;
    waiting.set(calls, callback);
    // Functions cannot travel, and a page's options are full of them.
    tell({ call: calls, name: name, params: JSON.parse(JSON.stringify(params || {})) });
  }

  function comeToLife() {
    window.WeixinJSBridge = {
      invoke: invoke,
      on: function () {},
    };
    document.dispatchEvent(new Event("WeixinJSBridgeReady"));
  }

  window.addEventListener("message", function (event) {
    if (event.source !== desktop || event.origin !== origin || !event.data.wecom) return;
    if (event.data.welcome && !window.WeixinJSBridge) comeToLife();
    var callback = waiting.get(event.data.call);
    waiting.delete(event.data.call);
    if (callback) callback(event.data.result);
  });

  window.__wecomClient = {
    ready: new Promise(function (resolve) {
      document.addEventListener("WeixinJSBridgeReady", resolve);
    }),
    invoke: function (name, params) {
      return window.__wecomClient.ready.then(function () {
        return new Promise(function (resolve) {
          window.WeixinJSBridge.invoke(name, params, resolve);
        });
      });
    },
  };
  if (desktop) tell({ hello: true });
})();
