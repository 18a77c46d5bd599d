declare module 'fs-native-extensions' {
  /** Takes an exclusive lock on an open file; false where another open file holds one. */
  export function tryLock(fd: number): boolean
}
