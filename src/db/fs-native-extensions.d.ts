declare module 'fs-native-extensions' {
  /** Takes a lock on an open file, an exclusive one unless `shared`; false where another excludes it. */
  export function tryLock(fd: number, options?: { shared?: boolean }): boolean
}
