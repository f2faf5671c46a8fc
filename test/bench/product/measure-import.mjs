// Prints how many milliseconds the built functions take to import, in a process that has loaded nothing else.
import { Module } from 'node:module';
import { pathToFileURL } from 'node:url';

let functions = 0;
const core = {
  version: '3.10.1',
  hostVersion: '4.34.0',
  setProgrammingModel() {},
  registerFunction: () => {
    functions += 1;
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
for (const entry of process.argv.slice(2)) {
  await import(pathToFileURL(entry).href);
}
console.log(
  JSON.stringify({
    milliseconds: performance.now() - startedAt,
    functions,
    rssBytes: process.memoryUsage.rss(),
  }),
);
process.exit();
