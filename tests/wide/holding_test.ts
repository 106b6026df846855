import { databaseTests } from "../support/database.ts";
import { holdInOrder } from "../support/holding.ts";

const test = databaseTests("holding");

test("1,000 callers in one queue and 50 people: order is kept, no position rises, nobody is idle", (db) =>
  holdInOrder(db, { callers: 1000, people: 50 }));
