/** What azd runs before it deploys main.bicep (azure.yaml). */
import { prepareEnvironment } from './prepare-environment.ts';
import { runAzd } from './run-azd.ts';

/** azd tells hooks which of its environments is meant, which need not be the default one. */
const { AZURE_ENV_NAME: environment } = process.env;
const where = environment ? ['--environment', environment] : [];

try {
  await prepareEnvironment({
    variables: process.env,
    setVariable: (name, value) => runAzd('env', 'set', name, value, ...where),
    now: new Date(),
    say: console.log,
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
