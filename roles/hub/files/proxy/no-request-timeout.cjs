// Loaded before configurable-http-proxy. Node.js ends a request whose body takes more than five minutes
// and the proxy has no option for it: a large upload over a slow line would fail. nginx in front bounds the
// size of a body and the silence between its parts.
"use strict";
const http = require("node:http");

const createServer = http.createServer;
http.createServer = (...options) => Object.assign(createServer(...options), { requestTimeout: 0 });
