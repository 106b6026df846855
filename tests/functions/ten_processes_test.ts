import { assertEquals } from "@std/assert/equals.js";
import { startTestStack } from "../support/database.ts";
import { newCallSid } from "../support/events.ts";
import { addressOf, runFunction } from "../support/function_process.ts";
import { withLocalDefaults } from "../../scripts/local/stack.ts";
import { sign } from "../../scripts/phone/mod.ts";

Deno.test({
  name: "one webhook, delivered to ten processes at once: one event, one count, one answer",
  // The pipes of a process that was stopped close when it is gone, which is awaited.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    const stack = await startTestStack({ functions: false });
    const env = withLocalDefaults({}, stack.url, stack.db.url);
    const processes = Array.from({ length: 10 }, () => runFunction("voice-frontdoor", env));
    try {
      const urls = await Promise.all(processes.map(addressOf));
      const params = {
        CallSid: newCallSid(),
        CallStatus: "ringing",
        From: "+16045550177",
        To: "+15877428885",
      };
      const signature = sign(
        "local-auth-token",
        `${stack.url}/functions/v1/voice-frontdoor`,
        params,
      );
      const answers = await Promise.all(urls.map(async (url) => {
        const response = await fetch(`${url}/voice-frontdoor`, {
          method: "POST",
          headers: { "x-twilio-signature": signature },
          body: new URLSearchParams(params),
        });
        return `${response.status} ${await response.text()}`;
      }));

      assertEquals(new Set(answers).size, 1);
      assertEquals(answers[0]!.startsWith("200 <?xml"), true);
      const [kept] = await stack.db.sql`
        select
          (select count(*)::int from call_logs) as calls,
          (select count(*)::int from call_lifecycle) as events,
          (select json_object_agg(identifier_type, cardinality(admitted_at)) from rate_limit_windows) as admissions`;
      assertEquals({ ...kept }, { calls: 1, events: 1, admissions: { caller: 1, called: 1 } });
    } finally {
      for (const process of processes) process.kill("SIGKILL");
      await Promise.all(processes.map((process) => process.status));
      await stack.stop();
    }
  },
});
