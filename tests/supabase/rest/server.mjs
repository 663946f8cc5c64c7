// PostgREST's stand-in: @supabase/lite in front of a real PostgreSQL, one port a database.
//
// Each line of the input is a request, each line of the output its answer:
//   {"open": "postgresql://..."} -> {"port": 40123}
//   {"close": 40123}             -> {"closed": 40123}
// The end of the input ends the process.
import { createInterface } from "node:readline";

import { serve } from "@hono/node-server";
import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";

console.log = console.error; // postgres.js tells notices there, where only answers may be

// Lite hands over JSON as text already; postgres.js would encode it a second time.
const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const types = {
  json: { to: 114, from: [114], serialize: asText, parse: JSON.parse },
  jsonb: { to: 3802, from: [3802], serialize: asText, parse: JSON.parse },
};

const opened = new Map();

async function open(url) {
  const connection = createPostgresConnection({ url, postgresOptions: { types } });
  const app = new App({
    connection,
    api: { schemas: ["public", "analytics"] },
    auth: {
      enabled: false,
      publishable_key: process.env.PUBLISHABLE_KEY,
      secret_key: process.env.SECRET_KEY,
    },
    options: { server: { admin: false } },
  });
  const answer = (request, { incoming }) =>
    app.fetch(request, { peerAddress: incoming.socket.remoteAddress ?? null });
  return new Promise((resolve) => {
    const server = serve({ fetch: answer, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
      opened.set(port, { server, connection });
      resolve({ port });
    });
  });
}

async function close(port) {
  const { server, connection } = opened.get(port);
  opened.delete(port);
  server.close();
  server.closeAllConnections();
  await connection.close();
  return { closed: port };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer = request.open ? await open(request.open) : await close(request.close);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
