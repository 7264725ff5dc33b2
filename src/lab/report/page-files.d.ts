/** Files that go into the page of a report as they are. */
declare module '*/chart.umd.min.js' {
  const source: string
  export default source
}
declare module '*/page-script.js' {
  const source: string
  export default source
}
declare module '*/page-style.css' {
  const source: string
  export default source
}
