import { dataApi } from "../_shared/db/client.ts";
import { createHandler } from "./handler.ts";

Deno.serve(createHandler({ env: (name) => Deno.env.get(name), connect: dataApi, now: Date.now }));
