import { dataApi } from "../_shared/db/client.ts";
import { logOf } from "../_shared/log.ts";
import { environment } from "../_shared/runtime.ts";
import { createHandler } from "./handler.ts";

Deno.serve(createHandler({ env: environment, connect: dataApi, log: logOf, now: Date.now }));
