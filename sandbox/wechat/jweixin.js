/* Stands in for jweixin-1.6.0.js. It really has the signature checked, and answers every API that
   was listed in jsApiList, so that a page sees what it would see inside WeChat. */
(function () {
  "use strict";
  var origin = new URL(document.currentScript.src).origin;
  var config = null;
  var verdict = "";
  var onReady = [];
  var onError = [];
  var calls = 0;

  function report(options, errMsg, more) {
    var result = Object.assign({ errMsg: errMsg }, more);
    var isGood = /:ok$/.test(errMsg);
    if (isGood && options.success) options.success(result);
    if (!isGood && options.fail) options.fail(result);
    if (options.complete) options.complete(result);
  }

  window.__jweixin = function (answer) {
    if (answer[0] !== String(calls)) return;
    verdict = answer[1];
    var isGood = verdict === "config:ok";
    if (config.debug) console.info("jweixin", verdict);
    (isGood ? onReady : onError).forEach(function (listener) {
      listener(isGood ? undefined : { errMsg: verdict });
    });
  };

  function ask(values) {
    calls += 1;
    var query = new URLSearchParams({
      appId: values.appId || "",
      timestamp: values.timestamp || "",
      nonceStr: values.nonceStr || "",
      signature: values.signature || "",
      url: location.href.split("#")[0],
      call: String(calls),
    });
    var script = document.createElement("script");
    script.src = origin + "/wechat/open/js/check?" + query;
    document.head.appendChild(script);
  }

  var wx = {
    config: function (values) {
      config = values;
      verdict = "";
      ask(values);
    },
    ready: function (listener) {
      if (verdict === "config:ok") listener();
      else onReady.push(listener);
    },
    error: function (listener) {
      if (verdict && verdict !== "config:ok") listener({ errMsg: verdict });
      else onError.push(listener);
    },
    checkJsApi: function (options) {
      var known = {};
      options.jsApiList.forEach(function (name) {
        known[name] = name in wx;
      });
      report(options, "checkJsApi:ok", { checkResult: known });
    },
    closeWindow: function () {
      window.close();
      if (window.history.length > 1) window.history.back();
    },
  };

  [
    "updateAppMessageShareData", "updateTimelineShareData", "chooseImage", "previewImage",
    "uploadImage", "downloadImage", "getNetworkType", "openLocation", "getLocation",
    "hideOptionMenu", "showOptionMenu", "hideMenuItems", "showMenuItems", "hideAllNonBaseMenuItem",
    "showAllNonBaseMenuItem", "scanQRCode",
  ].forEach(function (name) {
    wx[name] = function (options) {
      options = options || {};
      var isAllowed = verdict === "config:ok" && (config.jsApiList || []).indexOf(name) >= 0;
      report(options, name + (isAllowed ? ":ok" : ":fail, the permission value is offline verifying"));
    };
  });

  window.wx = window.jWeixin = wx;
})();
