import { dataApi } from "../_shared/db/client.ts";
import { logOf } from "../_shared/log.ts";
import { createHandler } from "./handler.ts";

const env = (name: string) => Deno.env.get(name);
Deno.serve(createHandler({ env, connect: dataApi, log: logOf, now: Date.now }));
