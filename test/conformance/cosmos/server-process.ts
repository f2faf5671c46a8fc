import { startCosmosServer } from '../../../infra/local/cosmos/server.ts';

/** An emulator in a process of its own, so that a test can kill it: tells its parent the connection string. */
const [dataFolder = '', partitions = '1'] = process.argv.slice(2);
const server = await startCosmosServer({ port: 0, dataFolder, partitions: Number(partitions) });
process.send?.(server.connectionString);
