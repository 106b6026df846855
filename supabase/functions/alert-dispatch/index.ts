import { readSettings } from "../_shared/settings.ts";
import { createHandler, dispatchDeps } from "./handler.ts";

Deno.serve(createHandler(dispatchDeps(readSettings((name) => Deno.env.get(name)))));
