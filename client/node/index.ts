export * from '../index.ts';
export { closeOnExit } from './close-on-exit.ts';
export { lastGoodFolder } from './last-good-folder.ts';
