import { digestOfToken, newTokenText } from '../../../shared/access/tokens/token.ts';

export interface Preparation {
  /** That of azd, and what the process has. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Keeps a variable in the environment of azd, a file: so nothing secret. */
  readonly setVariable: (name: string, value: string) => Promise<unknown>;
  readonly now: Date;
  readonly say: (line: string) => void;
}

/**
 * Sets what a deployment needs and nobody has given: when its budget begins, and the first token. Of the token only the hash is kept, and
 * whoever deploys is shown it once; who has given a hash, or wants no token, is given none.
 */
export async function prepareEnvironment(preparation: Preparation): Promise<void> {
  const { variables, setVariable, now } = preparation;
  if (!variables.SKERRY_AZURE_BUDGET_START) {
    await setVariable('SKERRY_AZURE_BUDGET_START', `${now.toISOString().slice(0, 7)}-01`);
  }
  if (!variables.SKERRY_BOOTSTRAP_TOKEN_SHA256 && variables.SKERRY_AZURE_BOOTSTRAP !== 'off') {
    await makeBootstrapToken(preparation);
  }
}

async function makeBootstrapToken({ variables, setVariable, say }: Preparation): Promise<void> {
  if (variables.CI) {
    say('No bootstrap token is made here, where its text would stay in a log: docs/azure.md, "From GitHub".');
    return;
  }
  const token = newTokenText();
  await setVariable('SKERRY_BOOTSTRAP_TOKEN_SHA256', digestOfToken(token).toString('hex'));
  say('');
  say(`Bootstrap token: ${token}`);
  say(
    'It may do everything, and is shown this once: keep it, make tokens of your own by it, and then take it away',
  );
  say('(docs/azure.md, "The first call").');
  say('');
}
