import { generate } from "./history.ts";
import { startTestStack } from "../support/database.ts";
import { createConsole } from "../../scripts/console/server.ts";
import { serve, withLocalDefaults } from "../../scripts/local/stack.ts";
import { ensureUser } from "../../scripts/local/auth_api.ts";
const stack = await startTestStack();
const calls = Number(Deno.args[0]);
console.log(stack.db.url, stack.url);
const t = performance.now();
await generate(stack.db.url, calls, 3);
console.log("generated", (performance.now() - t) / 1000);
const { sql } = stack.db;
for (;;) {
  const [r] = await sql`select count_paths() as added`;
  if (!r!.added) break;
}
await sql`select roll_up_calls(10000)`;
await sql`insert into contacts (phone, name) select distinct on (party) party, 'Person ' || right(party, 4) from (select party from call_logs order by started_at desc limit 20000) as x on conflict do nothing`;
const id = await ensureUser(sql, "bench@example.com", "tradeline");
await sql`insert into members (user_id, email, role, joined_at) values (${id}, 'bench@example.com', 'owner', now())`;
await sql`analyze`;
const ui = createConsole({
  apiUrl: stack.url,
  databaseUrl: stack.db.url,
  dataDir: "/tmp/zz",
  env: { ...withLocalDefaults({}, stack.url, stack.db.url) },
});
const server = serve(0, console.log, (r) => ui.handle(r));
console.log("READY", server.url);
await new Promise(() => {});
