import { liveDeps } from "../_shared/deps.ts";
import { outboundDeps } from "./deps.ts";
import { createHandler } from "./handler.ts";

Deno.serve(createHandler(outboundDeps(liveDeps())));
