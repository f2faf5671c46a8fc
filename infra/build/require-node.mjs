// First step of every npm script: an older Node would fail later, in ways that name neither Node nor its version.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `Skerry needs Node 22.19 or later, and this is ${process.versions.node}: run it through npm (npm start, npm test) ` +
      'after a plain "npm ci", which brings Node 24, or install a newer Node.',
  );
  process.exit(1);
}
