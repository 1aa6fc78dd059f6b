// Reports what Neo4j's own parser and semantic checker for Cypher 5 find in statements.
// In: lines of {"name", "cypher"}. Out: lines of {"name", "severity", "line", "column", "message"}.
// Called by lint.py, which says where the modules are (NODE_PATH).
"use strict";

const readline = require("node:readline");
const { isNotParamError, lintCypherQuery, testData } = require("@neo4j-cypher/language-support");

const LANGUAGE = "CYPHER 5";
const SEVERITIES = { 1: "error", 2: "warning", 3: "note", 4: "note" };
// In the package's sample of a database, but not in a plain Neo4j Community.
const PLUGINS = /^(apoc|gds|genai|cdc|db\.cdc|dbms\.cluster)\./;

function builtIn(byLanguage) {
  const names = Object.entries(byLanguage[LANGUAGE]).filter(([name]) => !PLUGINS.test(name));
  return { [LANGUAGE]: Object.fromEntries(names) };
}

// Knowing the built-in functions and procedures, the checker reports those that do not exist.
const database = {
  defaultLanguage: LANGUAGE,
  functions: builtIn(testData.mockSchema.functions),
  procedures: builtIn(testData.mockSchema.procedures),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { name, cypher } = JSON.parse(line);
  // Parameters get their values at run time; which there are is no question of the text.
  for (const found of lintCypherQuery(cypher, database).diagnostics.filter(isNotParamError)) {
    const report = {
      name,
      severity: SEVERITIES[found.severity] ?? "error",
      line: found.range.start.line + 1,
      column: found.range.start.character + 1,
      message: found.message,
    };
    process.stdout.write(JSON.stringify(report) + "\n");
  }
});
