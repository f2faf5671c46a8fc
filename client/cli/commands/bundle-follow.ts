import { hostname } from 'node:os';
import path from 'node:path';
import { BundleFollower, type TakenVersion } from '../bundle/follow/bundle-follower.ts';
import { BundleSource } from '../bundle/follow/bundle-source.ts';
import { FollowReport } from '../bundle/follow/follow-report.ts';
import { LastGoodFile } from '../bundle/follow/last-good.ts';
import { runCommand } from '../bundle/follow/run-command.ts';
import { VersionFolders } from '../bundle/follow/version-folders.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { notFound } from '../not-found.ts';
import { UsageError } from '../usage-error.ts';

const EXEC_SECONDS = 60;
/** A day: what timers take ends at 24. */
const MOST_EXEC_SECONDS = 86_400;
const KEPT_VERSIONS = 3;

export const bundleFollowCommand = defineCommand({
  name: 'bundle follow',
  summary: 'Keeps a folder in step with a bundle, and tells Skerry how it goes',
  notes: `FOLDER becomes a symbolic link to the version that is in use, which lies in FOLDER.versions; another version takes its place at once and as a whole. Then the command runs, with SKERRY_BUNDLE, SKERRY_VERSION, SKERRY_PREVIOUS_VERSION, SKERRY_CHANNEL, SKERRY_CONSUMER, SKERRY_FOLDER and SKERRY_VERSION_FOLDER in its environment. Where it fails, the version is reported as failed, the last good one takes its place again, and the command runs once more. docs/bundles.md tells the details.
With --json each line is one of {"event": "applied", version, previous}, {"event": "in-step", version}, {"event": "failed", version, reason, back}, {"event": "waiting", reason} and {"event": "fault", reason}.`,
  args: ['<bundle>', '<folder>'],
  flags: {
    channel: { placeholder: 'CHANNEL', summary: 'follow this channel (the newest version)' },
    consumer: { placeholder: 'ID', summary: 'as whom, in rollouts and reports (the name of the host)' },
    exec: { placeholder: 'COMMAND', summary: 'run this in the shell when another version is in place' },
    execTimeout: {
      placeholder: 'SECONDS',
      isNumber: true,
      summary: `the command has failed after so long (${EXEC_SECONDS})`,
    },
    keep: {
      placeholder: 'N',
      isNumber: true,
      summary: `so many versions stay in FOLDER.versions (${KEPT_VERSIONS})`,
    },
    once: { summary: 'end after one pass' },
  },
  examples: [
    'skerry bundle follow envoy /etc/envoy/current --channel stable',
    "skerry bundle follow site www --channel stable --consumer web-1 --exec 'nginx -t && nginx -s reload'",
    'skerry bundle follow envoy current --once',
  ],
  async run({ args: { bundle, ...args }, flags, client, output, signal, folder: workingFolder }) {
    const { channel, exec, keep = KEPT_VERSIONS, execTimeout = EXEC_SECONDS } = flags;
    if (execTimeout < 1 || execTimeout > MOST_EXEC_SECONDS) {
      throw new UsageError(`--exec-timeout takes 1 to ${MOST_EXEC_SECONDS} seconds.`);
    }
    const consumer = flags.consumer ?? consumerOf(hostname());
    const folders = await VersionFolders.open(path.resolve(workingFolder, args.folder));
    const follower = new BundleFollower({
      bundle,
      folders,
      lastGood: new LastGoodFile(folders.pathOf('last-good.json')),
      source: new BundleSource({ client, output, bundle, channel, consumer }),
      keep,
      check,
      report: new FollowReport(output, bundle, args.folder),
      signal,
    });
    if (!flags.once) return await follower.follow();
    const result = await follower.bring();
    if (result === 'nothing there') {
      throw notFound(`The bundle "${bundle}" has no version "${channel ?? 'latest'}" yet.`);
    }
    return result === 'failed' ? EXIT.failed : undefined;

    async function check({ version, previous, folder }: TakenVersion): Promise<string | undefined> {
      if (exec === undefined) return undefined;
      return await runCommand({
        command: exec,
        env: {
          SKERRY_BUNDLE: bundle,
          SKERRY_VERSION: String(version),
          SKERRY_PREVIOUS_VERSION: previous === undefined ? '' : String(previous),
          SKERRY_CHANNEL: channel ?? '',
          SKERRY_CONSUMER: consumer,
          SKERRY_FOLDER: folders.link,
          SKERRY_VERSION_FOLDER: folder,
        },
        folder: workingFolder,
        timeLimit: execTimeout * 1000,
        out: output.isJson ? 2 : 1,
        signal,
      });
    }
  },
});

/** The name of a host as an id that Skerry takes. */
function consumerOf(host: string): string {
  return host.replace(/[^0-9A-Za-z._-]/g, '-').slice(0, 128);
}
