// The disk as the log sees it: files at positions, folders, whole small files replaced in one step.
// Two implementations: disk-real.ts (node:fs and, where there is a libc to call, FFI) and disk-memory.ts (tests and `--storage memory`).
// Everything here is synchronous except what may wait for the device: `read`, `sync` and the `...Later` calls.

/** Why a disk operation failed. `code` is the errno name: ENOSPC, EIO, ENOENT, EACCES ... */
export class DiskError extends Error {
  readonly code: string
  readonly path: string

  constructor(code: string, path: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'DiskError'
    this.code = code
    this.path = path
  }
}

export interface FileStat {
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly isDirectory: boolean
}

/** An exclusive lock on a file; gone with the process at the latest. */
export interface Lock {
  readonly path: string
  /** Gives the lock back and removes the file. */
  release(): void
}

export interface Disk {
  readonly kind: 'real' | 'memory'
  /** How many files and sockets the process may have open in all. */
  readonly mostOpenFiles: number
  /** Opens for reading and writing. Without `create` a missing file is a DiskError ENOENT. */
  open(path: string, options?: { create?: boolean }): DiskFile
  exists(path: string): boolean
  /** Names in a folder, in no particular order; a missing folder is a DiskError ENOENT. */
  list(directory: string): string[]
  stat(path: string): FileStat | null
  /** Creates the folder and its parents; an existing one is fine. */
  makeDirectory(path: string): void
  rename(from: string, to: string): void
  /** Removes a file, or with `recursive` a folder with all it holds. What is not there is fine. */
  remove(path: string, options?: { recursive?: boolean }): void
  /** Removes a folder with all it holds on the thread pool: large files take their time. */
  removeLater(path: string): Promise<void>
  readWhole(path: string): Buffer | null
  /** Writes a small file without any sync: atomic for a reader (tmp + rename), not against power loss. */
  writeWhole(path: string, bytes: Uint8Array): void
  /** Writes a small file where there is none yet; a crash may leave it torn. */
  writeNew(path: string, bytes: Uint8Array): void
  /** Replaces a small file durably: `<path>.tmp`, fsync, rename, fsync of the folder. Blocks for the syncs. */
  replaceWhole(path: string, bytes: Uint8Array): void
  /** The same with the syncs on the thread pool. Calls for one path must not overlap; a `replaceWhole` in between wins. */
  replaceWholeLater(path: string, bytes: Uint8Array): Promise<void>
  setModified(path: string, modifiedMs: number): void
  syncDirectory(directory: string): void
  syncDirectoryLater(directory: string): Promise<void>
  /** Tries how many bytes per second the device takes past the page cache; null if the folder's file system takes no such writes. */
  directWriteSpeed(directory: string): number | null
  /** Brings everything of the folder's file system to the device in one call, which blocks; false where there is no such call. */
  syncFileSystem(directory: string): boolean
  free(path: string): { totalBytes: number; usableBytes: number }
  /** Takes the exclusive lock; null if somebody else (any process, or this one) holds it. */
  lock(path: string): Lock | null
  /** Whether somebody holds the lock; nothing is created or written to find out. */
  isLocked(path: string): boolean
}

export interface DiskFile {
  readonly path: string
  /** Length of the file as this handle knows it: nobody else writes to it meanwhile. */
  readonly sizeBytes: number
  /** Writes all bytes at the position or throws a DiskError; after a throw part of them may be in the file. */
  writev(chunks: readonly Uint8Array[], position: number): void
  /**
   * Copies the bytes and writes the copy past the page cache, on the thread pool; until then the file holds some prefix of them. Returns the
   * copy, which does not change before `done` was called, or null where that is not possible (now, or at all). `done` is called later, never
   * from within; after an error part of the bytes may be in the file. Throws a DiskError if it cannot even begin.
   */
  writeDirectly(
    chunks: readonly Uint8Array[],
    position: number,
    done: (error: DiskError | null) => void,
  ): Uint8Array | null
  /**
   * At most `length` bytes from the position on that are still in memory from their writing, though perhaps not in the page cache; null if
   * there are none. Not to be kept beyond this turn.
   */
  recentlyWritten(position: number, length: number): Uint8Array | null
  /** Reads now, blocking; returns the bytes read, fewer only at the end of the file. */
  readNow(buffer: Uint8Array, offset: number, length: number, position: number): number
  /** Reads only what is in memory already: the bytes read, perhaps fewer than asked, or -1 if it would have to wait. */
  readHot(buffer: Uint8Array, offset: number, length: number, position: number): number
  /**
   * Hands bytes that are in memory to a socket without copying them: the number sent, or why none were. A `notHot` range has
   * to be read, a `socketFull` one has to wait for the socket, where it is `unsupported` bytes are read and written.
   */
  sendHot(socketDescriptor: number, position: number, length: number): number | 'notHot' | 'socketFull' | 'unsupported'
  /** Keeps the file usable until `letGo`, even if it is closed or removed meanwhile. */
  hold(): void
  letGo(): void
  /** Reads on the thread pool; fewer bytes only at the end of the file. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** fdatasync on the thread pool. */
  sync(): Promise<void>
  syncNow(): void
  truncate(sizeBytes: number): void
  /** Asks for space up to `bytes` without changing the length. May do nothing; never throws. `truncate` gives it back. */
  preallocate(bytes: number): void
  close(): void
}
