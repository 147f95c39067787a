/* Stands in for jweixin-1.2.0.js inside WeCom: wx.config with beta, wx.invoke and wx.agentConfig. */
(function () {
  "use strict";
  var client = window.__wecomClient;
  var verdict = "";
  var onReady = [];
  var onError = [];

  function report(options, result) {
    var isGood = /:ok$/.test(result.errMsg);
    var isCancelled = /:cancel$/.test(result.errMsg);
    if (isGood && options.success) options.success(result);
    if (isCancelled && options.cancel) options.cancel(result);
    if (!isGood && !isCancelled && options.fail) options.fail(result);
    if (options.complete) options.complete(result);
  }

  var wx = {
    config: function (values) {
      client
        .invoke("preVerifyJSAPI", {
          appId: values.appId,
          // Without beta the client knows none of WeCom's own names.
          verifyJsApiList: values.beta ? values.jsApiList : [],
          verifyTimestamp: String(values.timestamp),
          verifyNonceStr: values.nonceStr,
          verifySignature: values.signature,
        })
        .then(function (result) {
          verdict = result.errMsg;
          if (values.debug) console.info("jweixin", verdict);
          (verdict === "config:ok" ? onReady : onError).forEach(function (listener) {
            listener(result);
          });
        });
    },
    ready: function (listener) {
      if (verdict === "config:ok") listener();
      else onReady.push(listener);
    },
    error: function (listener) {
      if (verdict && verdict !== "config:ok") listener({ errMsg: verdict });
      else onError.push(listener);
    },
    agentConfig: function (values) {
      client
        .invoke("agentConfig", {
          corpid: values.corpid,
          agentid: String(values.agentid),
          timestamp: String(values.timestamp),
          nonceStr: values.nonceStr,
          signature: values.signature,
          jsApiList: values.jsApiList,
        })
        .then(function (result) {
          report(values, result);
        });
    },
    invoke: function (name, params, callback) {
      client.invoke(name, params).then(function (result) {
        if (callback) callback(Object.assign({ err_msg: result.errMsg }, result));
      });
    },
    checkJsApi: function (options) {
      client.invoke("checkJsApi", options).then(function (result) {
        report(options, result);
      });
    },
  };
  ["closeWindow", "hideOptionMenu", "showOptionMenu", "previewImage", "openEnterpriseChat", "openUserProfile",
    "selectEnterpriseContact", "selectExternalContact", "getNetworkType"].forEach(function (name) {
    wx[name] = function (options) {
      var given = options || {};
      client.invoke(name, given).then(function (result) {
        report(given, result);
      });
    };
  });
  window.wx = window.jWeixin = wx;
})();
