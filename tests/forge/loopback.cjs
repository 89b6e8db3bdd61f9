// Keeps a server that would listen everywhere on loopback: `node --require loopback.cjs ...`
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  const told = rest.filter((given) => typeof given === "function");
  return typeof port === "number" ? listen.call(this, port, "127.0.0.1", ...told) : listen.call(this, port, ...rest);
};
