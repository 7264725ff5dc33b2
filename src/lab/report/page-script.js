/* Draws the charts of a report with chart.js. Runs in the reader's browser, inside the one file that html.ts writes. */
;(() => {
  const { charts, labelledPointsMax } = JSON.parse(document.getElementById('report-charts').textContent)
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const still = matchMedia('(prefers-reduced-motion: reduce)')
  // Told apart also by those who see few colours (order after Okabe and Ito), dark enough on white, light enough on black.
  const PALETTES = {
    light: ['#0072b2', '#d55e00', '#009e73', '#b0468e', '#8a6d00', '#3c91c9', '#7a4fbf', '#5b6470'],
    dark: ['#56b4e9', '#f08b45', '#2fc79a', '#e08cc3', '#e6c229', '#9bd3f5', '#b59cf0', '#a9b3c0'],
  }
  const POINT_SHAPES = ['circle', 'rectRot', 'triangle', 'rect', 'star', 'crossRot', 'rectRounded', 'cross']
  const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

  const theme = (printing) => {
    const name = dark.matches && !printing ? 'dark' : 'light'
    const isDark = name === 'dark'
    return {
      colours: PALETTES[name],
      text: isDark ? '#c9d1db' : '#2f3640',
      grid: isDark ? '#ffffff1f' : '#0000001a',
      panel: isDark ? '#0e1116' : '#1b1f24',
    }
  }

  const formatNumber = (value) => {
    const magnitude = Math.abs(value)
    if (magnitude >= 1e9) return `${+(value / 1e9).toPrecision(3)} G`
    if (magnitude >= 1e6) return `${+(value / 1e6).toPrecision(3)} M`
    if (magnitude >= 1e4) return `${+(value / 1e3).toPrecision(3)} k`
    return magnitude >= 1000 ? value.toLocaleString('en') : String(+value.toPrecision(4))
  }

  const formatBytes = (bytes) => {
    let value = bytes
    let unit = 0
    for (; Math.abs(value) >= 1024 && unit < BYTE_UNITS.length - 1; unit++) value /= 1024
    return `${+value.toPrecision(4)} ${BYTE_UNITS[unit]}`
  }

  const formatterOf = (axis) => (axis.format === 'bytes' ? formatBytes : formatNumber)

  const axisOptions = (axis, look, bounds) => {
    const base = {
      title: { display: axis.label !== '', text: axis.label, color: look.text },
      grid: { color: look.grid },
      border: { color: look.grid },
      ticks: { color: look.text, maxRotation: 45, autoSkipPadding: 12 },
      ...bounds,
    }
    if (axis.scale === 'category') {
      return { ...base, type: 'category', grid: { display: false }, ticks: { ...base.ticks, autoSkip: false } }
    }
    const ticks = { ...base.ticks, maxRotation: 0, callback: formatterOf(axis) }
    if (axis.scale === 'linear') return { ...base, type: 'linear', beginAtZero: true, ticks }
    const afterBuildTicks = (scale) => {
      scale.ticks = axis.format === 'bytes' ? powersOfTwo(scale) : decades(scale)
    }
    return { ...base, type: 'logarithmic', ticks, afterBuildTicks }
  }

  // At most nine, so that the labels fit: every power, or every second, third, ...
  const powersOfTwo = (scale) => {
    const first = Math.ceil(Math.log2(scale.min) - 1e-9)
    const last = Math.floor(Math.log2(scale.max) + 1e-9)
    const step = Math.max(1, Math.ceil((last - first + 1) / 9))
    const ticks = []
    for (let exponent = first; exponent <= last; exponent += step) ticks.push({ value: 2 ** exponent })
    return ticks
  }

  // 1, 2 and 5 of every decade while that is readable, otherwise the powers of ten.
  const decades = (scale) => {
    const digits = Math.log10(scale.max / scale.min) > 3 ? [1] : [1, 2, 5]
    const ticks = []
    for (let exponent = Math.floor(Math.log10(scale.min)); 10 ** exponent <= scale.max; exponent++) {
      for (const digit of digits) {
        const value = digit * 10 ** exponent
        if (value >= scale.min && value <= scale.max) ticks.push({ value })
      }
    }
    return ticks
  }

  // A logarithmic axis needs room beyond its points, which would be cut in half on the frame; any axis needs room for whiskers.
  const boundsOf = (chart, axisName) => {
    const points = chart.series.flatMap((series) => series.points)
    const values = points.map((point) => point[axisName])
    if (axisName === 'y') values.push(...points.flatMap((point) => [point.low, point.high]))
    const usable = values.filter((value) => typeof value === 'number' && value > 0)
    if (chart[axisName].scale === 'category' || usable.length === 0) return {}
    if (chart[axisName].scale === 'linear') return { suggestedMax: Math.max(...usable) }
    return { min: Math.min(...usable) / 1.25, max: Math.max(...usable) * 1.25 }
  }

  const datasetOf = (chart, series, index, look) => {
    const colour = look.colours[index % look.colours.length]
    const shape = POINT_SHAPES[index % POINT_SHAPES.length]
    const isBar = chart.kind === 'bar'
    const many = series.points.length > 60
    return {
      label: series.name,
      data: series.points,
      backgroundColor: isBar ? colour : `${colour}cc`,
      borderColor: colour,
      borderWidth: isBar ? 0 : 2,
      borderDash: index >= look.colours.length ? [6, 4] : [],
      borderRadius: isBar ? 2 : 0,
      pointStyle: shape,
      pointRadius: chart.kind === 'scatter' ? 5 : many ? 0 : 3,
      pointHoverRadius: 6,
      maxBarThickness: 44,
      showLine: chart.kind === 'line' || series.line === true,
      tension: 0,
      spanGaps: true,
    }
  }

  // The spread of the rounds: a thin line from the lowest to the highest.
  const whiskers = {
    id: 'whiskers',
    afterDatasetsDraw: (drawn) => {
      const { ctx } = drawn
      ctx.save()
      ctx.strokeStyle = drawn.options.look.text
      ctx.lineWidth = 1.25
      drawn.data.datasets.forEach((dataset, datasetIndex) => {
        if (!drawn.isDatasetVisible(datasetIndex)) return
        const meta = drawn.getDatasetMeta(datasetIndex)
        dataset.data.forEach((point, index) => {
          if (point.low === undefined || point.high === undefined || !(point.low < point.high)) return
          const { x } = meta.data[index]
          const low = drawn.scales.y.getPixelForValue(point.low)
          const high = drawn.scales.y.getPixelForValue(point.high)
          ctx.beginPath()
          ctx.moveTo(x, low)
          ctx.lineTo(x, high)
          for (const y of [low, high]) {
            ctx.moveTo(x - 4, y)
            ctx.lineTo(x + 4, y)
          }
          ctx.stroke()
        })
      })
      ctx.restore()
    },
  }

  // Words beside points, as long as they cover neither each other nor the frame.
  const pointLabels = {
    id: 'pointLabels',
    afterDatasetsDraw: (drawn) => {
      if (!drawn.options.labelled) return
      const { ctx, chartArea } = drawn
      const taken = []
      const free = (box) =>
        box.x >= chartArea.left &&
        box.x + box.width <= chartArea.right &&
        box.y >= chartArea.top &&
        box.y + box.height <= chartArea.bottom &&
        taken.every(
          (other) =>
            box.x + box.width < other.x ||
            other.x + other.width < box.x ||
            box.y + box.height < other.y ||
            other.y + other.height < box.y,
        )
      drawn.data.datasets.forEach((_, datasetIndex) => {
        for (const { x, y } of drawn.getDatasetMeta(datasetIndex).data) {
          taken.push({ x: x - 5, y: y - 5, width: 10, height: 10 })
        }
      })
      ctx.save()
      ctx.font = '11px system-ui, sans-serif'
      ctx.textBaseline = 'top'
      ctx.fillStyle = drawn.options.look.text
      drawn.data.datasets.forEach((dataset, datasetIndex) => {
        if (!drawn.isDatasetVisible(datasetIndex)) return
        drawn.getDatasetMeta(datasetIndex).data.forEach(({ x, y }, index) => {
          const text = dataset.data[index].label
          if (!text) return
          const { width } = ctx.measureText(text)
          const places = [
            { x: x + 8, y: y - 6 },
            { x: x - 8 - width, y: y - 6 },
            { x: x - width / 2, y: y - 19 },
            { x: x - width / 2, y: y + 8 },
          ]
          const box = places.map((place) => ({ ...place, width, height: 12 })).find(free)
          if (box === undefined) return
          taken.push(box)
          ctx.fillText(text, box.x, box.y)
        })
      })
      ctx.restore()
    },
  }

  const tooltipLabel = (chart) => (item) => {
    const point = item.raw
    const formatY = formatterOf(chart.y)
    const spread = point.low === undefined ? '' : ` (${formatY(point.low)} .. ${formatY(point.high)})`
    const place = chart.kind === 'scatter' ? `${formatterOf(chart.x)(point.x)}, ` : ''
    const label = point.label ? ` - ${point.label}` : ''
    return `${item.dataset.label}: ${place}${formatY(point.y)}${spread}${label}`
  }

  const configurationOf = (chart, look) => {
    const points = chart.series.reduce((sum, series) => sum + series.points.length, 0)
    const isNumeric = chart.x.scale !== 'category'
    return {
      type: chart.kind === 'bar' ? 'bar' : chart.kind === 'line' ? 'line' : 'scatter',
      data: {
        ...(isNumeric ? {} : { labels: [...new Set(chart.series.flatMap((series) => series.points.map((p) => p.x)))] }),
        datasets: chart.series.map((series, index) => datasetOf(chart, series, index, look)),
      },
      options: {
        look,
        labelled: chart.kind === 'scatter' && points <= labelledPointsMax,
        responsive: true,
        maintainAspectRatio: false,
        animation: still.matches ? false : { duration: 250 },
        parsing: { xAxisKey: 'x', yAxisKey: 'y' },
        interaction: { mode: chart.kind === 'scatter' ? 'nearest' : 'index', intersect: false },
        scales: {
          x: axisOptions(chart.x, look, boundsOf(chart, 'x')),
          y: axisOptions(chart.y, look, boundsOf(chart, 'y')),
        },
        plugins: {
          legend: {
            display: chart.series.length > 1,
            position: 'bottom',
            labels: { color: look.text, usePointStyle: true, boxHeight: 7, padding: 14 },
          },
          tooltip: {
            backgroundColor: look.panel,
            usePointStyle: true,
            callbacks: {
              ...(chart.kind === 'line' && isNumeric
                ? { title: (items) => `${chart.x.label}: ${formatterOf(chart.x)(items[0].parsed.x)}` }
                : {}),
              label: tooltipLabel(chart),
            },
          },
        },
      },
      plugins: [whiskers, pointLabels],
    }
  }

  let drawn = []
  const draw = (printing) => {
    for (const chart of drawn) chart.destroy()
    const look = theme(printing)
    drawn = [...document.querySelectorAll('canvas[data-chart]')].map((canvas) => {
      const configuration = configurationOf(charts[Number(canvas.dataset.chart)], look)
      if (printing) configuration.options.animation = false
      return new Chart(canvas, configuration)
    })
  }
  draw(false)
  dark.addEventListener('change', () => draw(false))
  addEventListener('beforeprint', () => draw(true))
  addEventListener('afterprint', () => draw(false))
})()
