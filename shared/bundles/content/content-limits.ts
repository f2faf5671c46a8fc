import { tooLarge, unprocessable } from '../../platform/errors.ts';
import { BUNDLE_LIMITS } from '../limits.ts';

/** @throws SkerryError `too-large` */
export function checkFileCount(files: number): void {
  if (files > BUNDLE_LIMITS.files) {
    throw tooLarge(`These are ${files} files; a version may have ${BUNDLE_LIMITS.files}.`, {
      fix: 'Make several bundles of them.',
    });
  }
}

/** @throws SkerryError `too-large` */
export function checkUnpackedSize(size: number, maxBytes: number): void {
  if (size > maxBytes) {
    throw tooLarge(`The files have more than the ${maxBytes} bytes, unpacked, that they may have here.`, {
      fix:
        maxBytes < BUNDLE_LIMITS.unpackedBytes
          ? `Start a draft and upload the archive to storage: then ${BUNDLE_LIMITS.unpackedBytes} bytes may be in it.`
          : 'Make several bundles of them.',
    });
  }
}

/**
 * A little that becomes very much is not unpacked to its end.
 *
 * @throws SkerryError `unprocessable`
 */
export function checkRatio(unpackedBytes: number, archiveBytes: number): void {
  const { ratio, ratioFreeBytes } = BUNDLE_LIMITS;
  if (unpackedBytes > ratioFreeBytes && unpackedBytes > ratio * archiveBytes) {
    throw unprocessable(`The archive becomes more than ${ratio} times as large when it is unpacked.`, {
      fix: 'Leave out what is mostly empty, or put it in another form.',
    });
  }
}
