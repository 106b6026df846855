import { liveDeps } from "../_shared/deps.ts";
import { reconcileDeps } from "./deps.ts";
import { createHandler } from "./handler.ts";

Deno.serve(createHandler(reconcileDeps(liveDeps())));
