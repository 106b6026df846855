// The stand-in speaks Upstash's protocol: https://upstash.com/docs/redis/features/restapi

import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { Redis } from "@upstash/redis";
import type { LocalUpstash } from "../../scripts/local/upstash.ts";
import { redisTest } from "../support/redis.ts";

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function post(
  { env }: LocalUpstash,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(env.UPSTASH_REDIS_REST_URL + path, {
    method: "POST",
    headers: { authorization: `Bearer ${env.UPSTASH_REDIS_REST_TOKEN}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const key = () => crypto.randomUUID();
const BASE64 = { "upstash-encoding": "base64" };

redisTest(
  "a command is answered with its result: status, string, number, null, list",
  async (upstash) => {
    const k = key();
    const list = key();
    const cases: [unknown[], unknown][] = [
      [["SET", k, "välue"], "OK"],
      [["GET", k], "välue"],
      [["set", k, 7, "EX", 100], "OK"],
      [["INCR", k], 8],
      [["GET", key()], null],
      [["RPUSH", list, "a", "OK"], 2],
      [["LRANGE", list, 0, -1], ["a", "OK"]],
      [["EVAL", "return {1, false, {'x', KEYS[1]}}", 1, "y"], [1, null, ["x", "y"]]],
      [["PING"], "PONG"],
    ];
    for (const [command, result] of cases) {
      assertEquals(await post(upstash, "/", command), { status: 200, body: { result } });
    }
  },
);

redisTest("a command that Redis refuses is 400 with Redis's words", async (upstash) => {
  const k = key();
  await post(upstash, "/", ["SET", k, "word"]);
  assertEquals(await post(upstash, "/", ["INCR", k]), {
    status: 400,
    body: { error: "ERR value is not an integer or out of range" },
  });
  const { status, body } = await post(upstash, "/", ["FROBNICATE"]);
  assertEquals(status, 400);
  assertStringIncludes((body as { error: string }).error, "ERR unknown command");
});

redisTest("what is no command is 400, what is no JSON too", async (upstash) => {
  const bodies = ["", "SET a b", "{}", "[]", "[[]]", [["GET", "a"]], [1, 2], ["GET", { a: 1 }]];
  for (const body of bodies) {
    const { status, body: { error } } = await post(upstash, "/", body) as {
      status: number;
      body: { error: string };
    };
    assertEquals([status, error], [400, "ERR failed to parse command"], String(body));
  }
});

redisTest("in base64 every string is encoded but a bare OK", async (upstash) => {
  const k = key();
  const list = key();
  const answers = [
    await post(upstash, "/", ["SET", k, "bar"], BASE64),
    await post(upstash, "/", ["GET", k], BASE64),
    await post(upstash, "/", ["INCR", key()], BASE64),
    await post(upstash, "/", ["GET", key()], BASE64),
    await post(upstash, "/", ["PING"], BASE64),
    await post(upstash, "/", ["RPUSH", list, "OK", "é"], BASE64),
    await post(upstash, "/", ["LRANGE", list, 0, -1], BASE64),
  ];
  assertEquals(answers.map(({ body }) => body), [
    { result: "OK" },
    { result: "YmFy" },
    { result: 1 },
    { result: null },
    { result: "UE9ORw==" },
    { result: 2 },
    { result: ["T0s=", "w6k="] },
  ]);
});

redisTest("bytes that are no text survive in base64, and are replaced without", async (upstash) => {
  const k = key();
  await post(upstash, "/", ["SETBIT", k, 0, 1]);
  assertEquals((await post(upstash, "/", ["GET", k], BASE64)).body, { result: "gA==" });
  assertEquals((await post(upstash, "/", ["GET", k])).body, { result: "\ufffd" });
});

redisTest("without the token nothing is done, and the answer is 401", async (upstash) => {
  const k = key();
  for (
    const authorization of ["", "Bearer ", "Bearer wrong", upstash.env.UPSTASH_REDIS_REST_TOKEN]
  ) {
    assertEquals(await post(upstash, "/", ["SET", k, "x"], { authorization }), {
      status: 401,
      body: { error: "WRONGPASS invalid or missing auth token" },
    });
  }
  assertEquals((await post(upstash, "/", ["GET", k])).body, { result: null });
});

redisTest("another method is 405, another path 404", async (upstash) => {
  const response = await fetch(upstash.env.UPSTASH_REDIS_REST_URL, { method: "DELETE" });
  assertEquals(response.status, 405);
  await response.body?.cancel();
  for (const path of ["/pipeline", "/subscribe/room"]) {
    assertEquals((await post(upstash, path, ["GET", "a"])).status, 404);
  }
});

redisTest(
  "Upstash's own client understands it",
  async ({ env }) => {
    const redis = new Redis({
      url: env.UPSTASH_REDIS_REST_URL,
      token: env.UPSTASH_REDIS_REST_TOKEN,
      enableTelemetry: false,
      enableAutoPipelining: false,
    });
    const [k, hash] = [key(), key()];
    assertEquals(await redis.set(k, { name: "Zoë", n: [1, 2] }), "OK");
    assertEquals(await redis.get(k), { name: "Zoë", n: [1, 2] });
    assertEquals(await redis.hset(hash, { a: 1, b: "two" }), 2);
    assertEquals(await redis.hgetall(hash), { a: 1, b: "two" });
    assertEquals(await redis.set(k, "w", { nx: true }), null);
    assertEquals(await redis.eval("return {KEYS[1], tonumber(ARGV[1])}", [k], ["7"]), [k, 7]);
  },
);
