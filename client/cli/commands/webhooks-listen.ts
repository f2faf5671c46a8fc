import { once } from 'node:events';
import type { SkerryClient } from '../../skerry-client.ts';
import { readVerificationKey } from '../../webhooks/verification-key.ts';
import { defineCommand } from '../command.ts';
import { oneLine } from '../one-line.ts';
import { UsageError } from '../usage-error.ts';
import { describeEvent } from '../webhooks/describe-event.ts';
import { runForWebhook } from '../webhooks/run-for-webhook.ts';
import { type ReceivedWebhook, startWebhookReceiver } from '../webhooks/webhook-receiver.ts';

const DEFAULT_PORT = 9_000;
/** Of the last deliveries, to recognise those that come again. */
const REMEMBERED = 1_000;
/** For taking leave: whoever pressed Ctrl-C does not wait for ever. */
const LEAVE_MILLISECONDS = 5_000;

export const webhooksListenCommand = defineCommand({
  name: 'webhooks listen',
  summary: 'Receives webhooks on this machine, and shows them',
  notes: `Verifies signatures, grants consent, and answers 204, or 401 to what cannot be verified. With --key it subscribes itself at Skerry, which has to run on this machine, and takes its subscription away when it ends; killed (kill -9) it leaves it to the next listener on this port.
With --json each line is an event: {"listening", "subscription"}, {"consent"} or {"delivery", "verified", "reason", "repeated", "status", "event"}.`,
  args: [],
  flags: {
    port: { placeholder: 'PORT', isNumber: true, summary: `where to listen (${DEFAULT_PORT}); 0: any` },
    key: { placeholder: 'KEY', summary: 'subscribe to this key, prefix or pattern' },
    secret: {
      placeholder: 'SECRET',
      isRepeatable: true,
      summary: 'whsec_… or whpk_… of a subscription made elsewhere',
    },
    status: { placeholder: 'STATUS', isNumber: true, summary: 'answer with this instead of 204' },
    exec: {
      placeholder: 'COMMAND',
      summary: 'run this in the shell, with the body as its input; if it fails, answer 500',
    },
  },
  examples: [
    'skerry webhooks listen --key /app',
    'skerry webhooks listen --port 9001 --secret "$WEBHOOK_SECRET" --json',
    'skerry webhooks listen --key "/kv/*/config/**" --status 503',
    "skerry webhooks listen --key /srv/web --exec 'jq -r .data.key >> changed.txt'",
  ],
  async run({ flags, client, output, signal }) {
    const { port = DEFAULT_PORT, key, secret = [], status = 204, exec } = flags;
    if (status < 200 || status > 599) throw new UsageError('--status takes a status of HTTP, 200 to 599.');
    await Promise.all(secret.map(readVerificationKey)).catch((error) => {
      throw new UsageError(`--secret: ${error.message}`);
    });
    const known = new Set<string>();
    const secrets = Promise.withResolvers<readonly string[]>();
    const receiver = await startWebhookReceiver({
      port,
      secrets: secrets.promise,
      onConsent: (origin) =>
        output.event({ consent: origin }, () =>
          oneLine(`${origin} asks whether it may call, and is told that it may`),
        ),
      async onWebhook(webhook) {
        const answer = await answerTo(webhook);
        show(webhook, answer);
        return answer;
      },
    }).catch((error) => {
      throw new Error(`Nothing can listen on the port ${port}: ${error.message}. --port takes another one.`);
    });
    let subscription: string | undefined;
    try {
      const created = key === undefined ? undefined : await subscribe(client, key, receiver.url, signal);
      subscription = created?.id;
      secrets.resolve([...secret, created?.secret].filter((known) => known !== undefined));
      output.event({ listening: receiver.url, subscription }, () =>
        subscription === undefined
          ? `-- listening on ${receiver.url}`
          : `-- listening on ${receiver.url} to ${key}, as the subscription ${subscription}`,
      );
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      if (subscription !== undefined) {
        await client.webhooks
          .delete(subscription, { signal: AbortSignal.timeout(LEAVE_MILLISECONDS) })
          .catch((error) => output.note(`skerry: ${subscription} is not removed: ${error.message}`));
      }
      await receiver.close();
    }
    return undefined;

    async function answerTo(webhook: ReceivedWebhook): Promise<number> {
      const canVerify = (await secrets.promise).length > 0;
      if (canVerify && !webhook.isVerified) return 401;
      if (exec !== undefined && !(await runForWebhook(exec, webhook, output.isJson ? 2 : 1))) return 500;
      return status;
    }

    function show({ delivery, isVerified, reason, event }: ReceivedWebhook, answer: number): void {
      const repeated = delivery !== undefined && known.has(delivery);
      if (delivery !== undefined) known.add(delivery);
      if (known.size > REMEMBERED) known.delete(known.values().next().value ?? '');
      const shown = { delivery, verified: isVerified, reason, repeated, status: answer, event };
      const trust = isVerified ? 'verified' : `not verified, ${reason}`;
      output.event(shown, () =>
        [
          describeEvent(event),
          oneLine(
            `   ${delivery ?? 'without an id'}${repeated ? ', again' : ''}, ${trust}; answered ${answer}`,
          ),
        ].join('\n'),
      );
    }
  },
});

/** Those that a listener on the same port has left behind go away: they would tell everything twice, signed by a lost secret. */
async function subscribe(client: SkerryClient, key: string, endpoint: string, signal: AbortSignal) {
  const name = `listen-${new URL(endpoint).port}`;
  for await (const other of client.webhooks.list({ signal })) {
    if (other.name === name && other.endpoint === endpoint)
      await client.webhooks.delete(other.id, { signal });
  }
  return await client.webhooks.create({ name, key, endpoint }, { signal });
}
