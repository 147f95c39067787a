/* Stands in for @wecom/jssdk: the same names, the same order of signatures, promises and callbacks. */
(function () {
  "use strict";
  var client = window.__wecomClient;
  var options = null;
  var tasks = {};

  function safely(listener, value) {
    if (typeof listener === "function") listener(value);
  }

  function complete(result) {
    var word = result.errMsg.slice(result.errMsg.indexOf(":") + 1);
    var whole = Object.assign({ errCode: word === "ok" ? 0 : -1 }, result);
    if (word !== "ok") throw whole;
    return whole;
  }

  function invoke(name, params, callback) {
    return client.invoke(name, params).then(function (result) {
      safely(callback, result);
      return complete(result);
    });
  }

  var KINDS = {
    corp: {
      factory: "getConfigSignature",
      listeners: "onConfig",
      call: function (signed) {
        return invoke("preVerifyJSAPI", {
          appId: options.corpId,
          verifyJsApiList: options.jsApiList || ["config"],
          verifyTimestamp: String(signed.timestamp),
          verifyNonceStr: signed.nonceStr,
          verifySignature: signed.signature,
        });
      },
    },
    agent: {
      factory: "getAgentConfigSignature",
      listeners: "onAgentConfig",
      call: function (signed) {
        return invoke("agentConfig", {
          corpid: options.corpId,
          agentid: String(options.agentId),
          timestamp: String(signed.timestamp),
          nonceStr: signed.nonceStr,
          signature: signed.signature,
          jsApiList: options.jsApiList || ["agentConfig"],
        });
      },
    },
  };

  /* Once for each address: a page that changes its own has to sign anew. */
  function ensure(kind) {
    var url = location.href.split("#")[0];
    var known = tasks[kind];
    if (known && known.url === url) return known.promise;
    var names = KINDS[kind];
    var promise = client.ready
      .then(function () {
        if (!options || !options[names.factory]) throw new Error("SDK Error: Missing " + names.factory);
        return options[names.factory](url);
      })
      .then(names.call);
    tasks[kind] = { url: url, promise: promise };
    promise.then(
      function (result) {
        safely(options[names.listeners + "Success"], result);
        safely(options[names.listeners + "Complete"], result);
      },
      function (problem) {
        delete tasks[kind];
        safely(options && options[names.listeners + "Fail"], problem);
        safely(options && options[names.listeners + "Complete"], problem);
      }
    );
    return promise;
  }

  function ensureWhatIsGiven() {
    if (!options) return client.ready;
    if (options.getAgentConfigSignature) return ensure("agent");
    return options.getConfigSignature ? ensure("corp") : client.ready;
  }

  function withCallbacks(params, promise) {
    return promise.then(
      function (result) {
        safely(params.success, result);
        safely(params.complete, result);
        return result;
      },
      function (problem) {
        var isCancelled = /:cancel$/.test(problem.errMsg || "");
        safely(isCancelled ? params.cancel : params.fail, problem);
        safely(params.complete, problem);
        throw problem;
      }
    );
  }

  var ww = {
    SDK_VERSION: "2.4.4",
    IS_WECOM_SDK: true,
    register: function (given) {
      options = given;
      tasks = {};
      // Who registered may never call: a refused signature is told to the listeners only.
      ensureWhatIsGiven().catch(function () {});
    },
    invoke: invoke,
    on: function () {},
    ensureConfigReady: ensureWhatIsGiven,
    ensureCorpConfigReady: function () {
      return ensure("corp");
    },
    ensureAgentConfigReady: function () {
      return ensure("agent");
    },
  };
  [
    "checkJsApi", "closeWindow", "getContext", "getCurExternalChat", "getCurExternalContact",
    "getNetworkType", "hideOptionMenu", "launchMiniprogram", "navigateToAddCustomer",
    "openDefaultBrowser", "openEnterpriseChat", "openUserProfile", "previewFile", "previewImage",
    "selectEnterpriseContact", "selectExternalContact", "sendChatMessage", "setClipboardData",
    "shareToExternalChat", "shareToExternalContact", "shareToExternalMoments", "showOptionMenu",
    "thirdPartyOpenPage",
  ].forEach(function (name) {
    ww[name] = function (params) {
      var given = params || {};
      return withCallbacks(
        given,
        ensureWhatIsGiven().then(function () {
          return invoke(name, given);
        })
      );
    };
  });
  window.ww = ww;
})();
