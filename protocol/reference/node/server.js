// The application of the conformance cases, as far as ddp-server-reactive allows: methods return at once, each error is
// 500, and a publication has one fixed collection without parameters.
//
//     npm ci && node server.js [PORT]
//
// It prints `listening on http://127.0.0.1:PORT` when it is ready.

import { createServer } from "node:http";
import DDPServer from "ddp-server-reactive";

const httpServer = createServer((request, response) => response.writeHead(404).end());
const server = new DDPServer({ httpServer });

server.methods({
  // The capabilities of this application: none of those that cases may need.
  capabilities: () => [],
  echo: (value) => value,
  add: (a, b) => a + b,
  nothing: () => undefined,
  failWith(error, reason, details) {
    throw Object.assign(new Error(reason), { error, reason, details });
  },
  failInternally() {
    throw new Error("a secret that clients must not see");
  },
});

// The collection has the name of the publication, and the publication takes no parameters: all clients get ten.
const ticks = server.publish("tick");
for (let i = 0; i < 10; i += 1) {
  ticks[`doc${i}`] = {
    i, name: `item number ${i}`, price: i + 0.5, done: i % 2 === 1, at: new Date(1700000000000 + i), tags: ["a", "b"],
  };
}

// The library writes each failed call to standard output, which is for the address.
console.log = () => {};

// A message that is not JSON is an exception in the library, which would end the process and with it all other cases.
process.on("uncaughtException", (error) => process.stderr.write(`${error.stack}\n`));

httpServer.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  process.stdout.write(`listening on http://127.0.0.1:${httpServer.address().port}\n`);
});
