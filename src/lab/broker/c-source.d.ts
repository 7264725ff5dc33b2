/** C that is compiled where it runs. */
declare module '*.c' {
  const source: string
  export default source
}
