import { assertEquals } from "@std/assert/equals.js";
import { join } from "@std/path/join.js";
import { createGateway, type Gateway } from "../../scripts/local/gateway.ts";
import { signJwt } from "../support/jwt.ts";

const CONFIG = `
[functions.echo]
verify_jwt = false
[functions.broken]
verify_jwt = false
[functions.throws]
verify_jwt = false
[functions.later]
verify_jwt = false
[functions.socket]
verify_jwt = false
[functions.off]
enabled = false
`;

const FUNCTIONS = {
  echo: `Deno.serve(async (request) => Response.json({
    url: request.url, method: request.method, body: await request.text(),
    headers: Object.fromEntries(request.headers), setting: Deno.env.get("SETTING"),
  }));`,
  broken: `throw new Error("half\\nmade");`,
  throws: `Deno.serve({ port: 1 }, () => { throw new TypeError("private detail"); });`,
  later: `Deno.serve({ handler: () => {
    EdgeRuntime.waitUntil(new Promise((done) => setTimeout(done, 20))
      .then(() => Deno.writeTextFile(Deno.env.get("FILE"), "done")));
    return new Response();
  } });`,
  guarded: `Deno.serve(() => new Response("in"));`,
  off: `Deno.serve(() => new Response("on"));`,
  socket: `Deno.serve((request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = (event) => socket.send(request.url + " " + event.data);
    return response;
  });`,
  _shared: `throw new Error("this is no function");`,
};

const SECRET = "a secret of at least thirty-two characters";
const PEER = { remoteAddr: { transport: "tcp", hostname: "203.0.113.7", port: 1 } };

function test(name: string, body: (gateway: Gateway, log: string[], dir: string) => Promise<void>) {
  Deno.test(`gateway: ${name}`, async () => {
    const dir = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(join(dir, "config.toml"), CONFIG);
      await Promise.all(
        Object.entries(FUNCTIONS).map(async ([name, code]) => {
          await Deno.mkdir(join(dir, "functions", name), { recursive: true });
          await Deno.writeTextFile(join(dir, "functions", name, "index.ts"), code);
        }),
      );
      const log: string[] = [];
      const gateway = await createGateway({
        supabaseDir: dir,
        env: { SETTING: "value", FILE: join(dir, "file") },
        jwtSecret: SECRET,
        dataApi: () => Promise.resolve(new Response("data")),
        storageApi: () => Promise.resolve(new Response("files")),
        log: (line) => log.push(line),
      });
      try {
        await body(gateway, log, dir);
      } finally {
        await gateway.close();
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

function ask(gateway: Gateway, path: string, init?: RequestInit): Promise<Response> {
  const request = new Request(`http://127.0.0.1:54321${path}`, init);
  return gateway.handle(request, PEER as unknown as Deno.ServeHandlerInfo);
}

test("a function sees the request as the hosted runtime shows it", async (gateway) => {
  const response = await ask(gateway, "/functions/v1/echo/sub/path?a=1&b=%20", {
    method: "POST",
    body: "x=1",
    headers: {
      "x-forwarded-for": "198.51.100.1",
      "cf-connecting-ip": "192.0.2.66",
      "x-forwarded-host": "evil.example",
      "x-twilio-signature": "abc",
    },
  });
  const { url, method, body, headers, setting } = await response.json();
  assertEquals(
    [url, method, body],
    ["http://edge-runtime.supabase.com/echo/sub/path?a=1&b=%20", "POST", "x=1"],
  );
  assertEquals(headers["x-forwarded-for"], "198.51.100.1, 203.0.113.7");
  assertEquals(headers["cf-connecting-ip"], "203.0.113.7");
  assertEquals(headers["x-forwarded-host"], "edge-runtime.supabase.com");
  assertEquals(headers["host"], "edge-runtime.supabase.com");
  assertEquals(headers["x-twilio-signature"], "abc");
  assertEquals(setting, "value");
});

test("the environment and the globals are as before once it is closed", async (gateway) => {
  assertEquals(Deno.env.get("SETTING"), "value");
  await gateway.close();
  assertEquals(Deno.env.get("SETTING"), undefined);
  assertEquals("EdgeRuntime" in globalThis, false);
});

test("a function that does not load answers 503, and one line is logged", async (gateway, log) => {
  assertEquals(log, ["broken: does not load: Error: half made"]);
  assertEquals((await ask(gateway, "/functions/v1/broken")).status, 503);
});

test("a function that throws answers 500 without saying why", async (gateway, log) => {
  const response = await ask(gateway, "/functions/v1/throws");
  assertEquals([response.status, await response.json()], [500, { error: "internal" }]);
  assertEquals(log.at(-1), "throws: TypeError: private detail");
});

test("background work is waited for when it closes", async (gateway, _log, dir) => {
  assertEquals((await ask(gateway, "/functions/v1/later")).status, 200);
  await gateway.close();
  assertEquals(await Deno.readTextFile(join(dir, "file")), "done");
});

test("a function that config.toml does not name wants a valid JWT", async (gateway) => {
  const signed = signJwt({ role: "anon" }, SECRET);
  const status = async (token?: string) => {
    const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await ask(gateway, "/functions/v1/guarded", { headers })).status;
  };
  assertEquals(await status(), 401);
  assertEquals(await status(`${signed}x`), 401);
  assertEquals(await status("sb_secret_local"), 401);
  assertEquals(await status(signed), 200);
});

test("unknown, disabled and underscored functions are 404", async (gateway) => {
  const statuses = await Promise.all(
    ["unknown", "off", "_shared", ""].map(async (name) =>
      (await ask(gateway, `/functions/v1/${name}`)).status
    ),
  );
  assertEquals(statuses, [404, 404, 404, 404]);
  assertEquals(gateway.functions, ["broken", "echo", "guarded", "later", "socket", "throws"]);
});

test("/rest/v1 is the Data API, /storage/v1 Storage, and nothing else is there", async (gateway) => {
  assertEquals(await (await ask(gateway, "/rest/v1/anything")).text(), "data");
  assertEquals(await (await ask(gateway, "/storage/v1/anything")).text(), "files");
  assertEquals((await ask(gateway, "/")).status, 404);
});

test("a function may take a WebSocket", async (gateway) => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    gateway.handle,
  );
  const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/functions/v1/socket?a=1`);
  await new Promise((open) => socket.onopen = open);
  const answer = new Promise((got) => socket.onmessage = (event) => got(event.data));
  socket.send("hello");
  assertEquals(await answer, "http://edge-runtime.supabase.com/socket?a=1 hello");
  const closed = new Promise((done) => socket.onclose = done);
  socket.close();
  await closed;
  await server.shutdown();
});
