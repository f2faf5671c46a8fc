// Prints how many milliseconds the built functions take to import, and then for a first request that needs no storage, in a process that has
// loaded nothing else.
import { Module } from 'node:module';
import { pathToFileURL } from 'node:url';

let functions = 0;
let answerLiveness;
const core = {
  version: '3.10.1',
  hostVersion: '4.34.0',
  setProgrammingModel() {},
  registerFunction: ({ name }, handler) => {
    functions += 1;
    if (name === 'http-api-v1-health-live') answerLiveness = handler;
    return { dispose() {} };
  },
  registerHook: () => ({ dispose() {} }),
  log() {},
  Disposable: class {},
};
const require = Module.prototype.require;
Module.prototype.require = function (id) {
  return id === '@azure/functions-core' ? core : require.call(this, id);
};

const startedAt = performance.now();
const cpuBefore = process.cpuUsage();
for (const entry of process.argv.slice(2)) {
  await import(pathToFileURL(entry).href);
}
const importedAt = performance.now();
const { user, system } = process.cpuUsage(cpuBefore);
const request = {
  method: 'GET',
  url: 'http://localhost/api/v1/health/live',
  headers: new Headers(),
  body: null,
};
await answerLiveness?.(request, { functionName: 'http-api-v1-health-live', log() {}, error() {} });
console.log(
  JSON.stringify({
    milliseconds: importedAt - startedAt,
    cpuMilliseconds: (user + system) / 1000,
    firstRequestMilliseconds: performance.now() - importedAt,
    functions,
    rssBytes: process.memoryUsage.rss(),
  }),
);
process.exit();
