// NODE_OPTIONS="--require ./gateway.js" GATEWAY=http://127.0.0.1:4010 twilio api:core:messages:create …
const http = require("http");
const https = require("https");

const gateway = new URL(process.env.GATEWAY);
const request = https.request;
https.request = function (options, ...rest) {
  if (options?.hostname !== "api.twilio.com") return request.call(this, options, ...rest);
  const { hostname, port, host } = gateway;
  const headers = { ...options.headers, Host: host };
  const to = { protocol: "http:", hostname, host: hostname, port, agent: undefined, agents: undefined };
  return http.request({ ...options, ...to, headers }, ...rest);
};
