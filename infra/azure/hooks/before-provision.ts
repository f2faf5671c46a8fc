/** What azd runs before it deploys main.bicep (azure.yaml). */
import { randomBytes } from 'node:crypto';
import { prepareEnvironment } from './prepare-environment.ts';
import { runAzd } from './run-azd.ts';

try {
  await prepareEnvironment({
    variables: process.env,
    setVariable: (name, value) => runAzd('env', 'set', name, value),
    randomBytes,
    now: new Date(),
    say: console.log,
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
