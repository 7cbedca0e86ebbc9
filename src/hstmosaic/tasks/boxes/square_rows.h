/* Included by square.c once for each instruction set, with VARIANT(name). */

/*
 * Area of the part of a drop in the pixel whose least corner is given.
 *
 * Each edge counts with the area under it, that of edges to the left against the others.
 */
#ifdef __AVX2__
static inline __attribute__((always_inline)) lanes VARIANT(choose)(masks mask, lanes one, lanes other)
{
    return __builtin_ia32_blendvpd256(other, one, (lanes)mask);
}

static inline __attribute__((always_inline)) double VARIANT(cover)(
    const struct drop *drop, bool exact, double left, double low)
{
    const lanes zero = {0.0, 0.0, 0.0, 0.0}, one = {1.0, 1.0, 1.0, 1.0}, half = {0.5, 0.5, 0.5, 0.5};
    const masks sign = (masks)-zero;
    lanes left4 = {left, left, left, left}, low4 = {low, low, low, low};
    lanes x = drop->x - left4, x2 = drop->x2 - left4, y = drop->y - low4, dx = drop->dx, slope = drop->slope;
    if (!exact) {
        dx = x2 - x;
        slope = (drop->y2 - low4 - y) / dx;
    }
    masks backward = dx < zero;
    lanes start = VARIANT(choose)(backward, x2, x), end = VARIANT(choose)(backward, x, x2);
    masks outside = (dx == zero) | (start >= one) | (end <= zero);
    /* they return the second number if one is not a number */
    start = __builtin_ia32_maxpd256(start, zero);
    end = __builtin_ia32_minpd256(end, one);
    lanes offset = y - slope * x;
    lanes y_start = slope * start + offset, y_end = slope * end + offset;
    outside |= (y_start <= zero) & (y_end <= zero);
    if (__builtin_ia32_movmskpd256((lanes)outside) == 15)
        return 0.0;
    masks starts_below = y_start < zero, ends_below = y_end < zero, below = starts_below | ends_below;
    masks starts_inside = y_start <= one, inside = starts_inside & (y_end <= one);
    masks above = (y_start >= one) & (y_end >= one);
    lanes area = half * (end - start) * (y_end + y_start);
    if (__builtin_ia32_movmskpd256((lanes)((below | ~inside) & ~outside)) != 0) {
        lanes crossing = -offset / slope;
        start = VARIANT(choose)(starts_below, crossing, start);
        end = VARIANT(choose)(ends_below, crossing, end);
        y_start = __builtin_ia32_maxpd256(zero, y_start);
        y_end = __builtin_ia32_maxpd256(zero, y_end);
        lanes top = (one - offset) / slope;
        area = half * (end - start) * (y_end + y_start);
        lanes rising = half * (top - start) * (one + y_start) + end - top;
        lanes falling = half * (end - top) * (one + y_end) + top - start;
        lanes cut = VARIANT(choose)(starts_inside, rising, falling);
        area = VARIANT(choose)(inside, area, VARIANT(choose)(above, end - start, cut));
    }
    area = (lanes)(~outside & ((masks)area ^ (backward & sign)));
    return area[0] + area[1] + area[2] + area[3];
}
#else
static inline __attribute__((always_inline)) double VARIANT(cover)(
    const struct drop *drop, bool exact, double left, double low)
{
    double sum = 0.0;
    for (int i = 0; i < 4; i++) {
        double x = drop->x[i] - left, x2 = drop->x2[i] - left, y = drop->y[i] - low;
        double dx = drop->dx[i], slope = drop->slope[i];
        if (!exact) {
            dx = x2 - x;
            slope = (drop->y2[i] - low - y) / dx;
        }
        double start = dx < 0.0 ? x2 : x, end = dx < 0.0 ? x : x2, area;
        if (dx == 0.0 || start >= 1.0 || end <= 0.0)
            continue;
        start = start > 0.0 ? start : 0.0;
        end = end < 1.0 ? end : 1.0;
        double offset = y - slope * x;
        double y_start = slope * start + offset, y_end = slope * end + offset;
        if (y_start <= 0.0 && y_end <= 0.0)
            continue;
        if (y_start < 0.0) {
            y_start = 0.0;
            start = -offset / slope;
        }
        if (y_end < 0.0) {
            y_end = 0.0;
            end = -offset / slope;
        }
        if (y_start >= 1.0 && y_end >= 1.0) {
            area = end - start;
        } else if (y_start <= 1.0 && y_end <= 1.0) {
            area = 0.5 * (end - start) * (y_end + y_start);
        } else {
            double top = (1.0 - offset) / slope;
            if (y_start <= 1.0)
                area = 0.5 * (top - start) * (1.0 + y_start) + end - top;
            else
                area = 0.5 * (end - top) * (1.0 + y_end) + top - start;
        }
        sum += dx < 0.0 ? -area : area;
    }
    return sum;
}
#endif

/* Positions of points of a row that are one pixel apart. */
static void VARIANT(place_row)(
    const struct table *table, double x, double y, int64_t count, double *restrict x_out, double *restrict y_out)
{
    double step = table->step;
    y /= step;
    int64_t row = (int64_t)floor(y);
    double up = y - (double)row;
    for (int64_t i = 0; i < count; i++) {
        x_out[i] = x;
        x += 1.0;
    }
    for (int64_t i = 0; i < count; i++)
        x_out[i] /= step;
    for (int64_t i = 0; i < count;) {
        int64_t column = (int64_t)floor(x_out[i]), end = i + 1;
        double here = (double)column;
        while (end < count && x_out[end] < here + 1.0)
            end++;
        const struct cell c = find_cell(table, row, column);
        for (; i < end; i++) {
            double right = x_out[i] - here;
            x_out[i] = blend(c.x00, c.x10, c.x01, c.x11, right, up);
            y_out[i] = blend(c.y00, c.y10, c.y01, c.y11, right, up);
        }
    }
}

/* Pixels that four corners reach: those of the mosaic, then those of the box. */
static inline __attribute__((always_inline)) bool VARIANT(reach)(
    const double *at, int64_t size, int64_t start, int64_t length, int64_t *first, int64_t *last, bool *exact)
{
    double low = DBL_MAX, high = DBL_MIN;
    for (int i = 0; i < 4; i++) {
        low = at[i] < low ? at[i] : low;
        high = at[i] > high ? at[i] : high;
    }
    *exact &= high <= 2.0 * low - 2.0;
    low = low > 0.0 ? low : 0.0;
    low = low < (double)size ? low : (double)size;
    high = high < (double)size ? high : (double)size;
    *first = (int64_t)(low + 0.5);
    *last = (int64_t)(high + 0.5);
    *last = *last < size - 1 ? *last : size - 1;
    *first = *first > start ? *first : start;
    *last = *last < start + length - 1 ? *last : start + length - 1;
    return *first <= *last;
}

/* Spread a drop over the pixels that it may reach. */
static inline __attribute__((always_inline)) void VARIANT(spread)(
    const struct job *job, const struct drop *drop, bool exact, struct reach reach)
{
    for (int64_t c = reach.left; c <= reach.right; c++) {
        int64_t at = (reach.bottom - job->top) * job->width + c - job->left;
        for (int64_t r = reach.bottom; r <= reach.top; r++, at += job->width) {
            double covered = VARIANT(cover)(drop, exact, (double)c - 0.5, (double)r - 0.5);
            if (!(covered > 0.0))
                continue;
            float given = (float)(covered / drop->area * drop->weight), old = job->total[at], sum = old + given;
            float was = job->science[at];
            if (__builtin_expect(sum != sum, 0))
                sum = keep_first(old, given, sum);
            if (old == 0.0f) {
                job->science[at] = drop->value;
            } else if (sum != 0.0f) {
                float mean = (was * old + given * drop->value) / sum;
                if (__builtin_expect(mean != mean, 0))
                    mean = average_nan(old, was, given, drop->value, sum);
                job->science[at] = mean;
            }
            job->total[at] = sum;
            if (job->context != NULL && given > 0.0f)
                job->context[at] |= job->bit;
        }
    }
}

static void VARIANT(drop_row)(const struct job *job, const struct corners *corners, int64_t row, int64_t from, int64_t to)
{
    const float scale2 = (float)job->scale2;
    for (int64_t i = from; i <= to; i++) {
        double x[4], y[4];
        for (int k = 0; k < 4; k++) {
            x[k] = corners->x[k][i - from] - 1.0;
            y[k] = corners->y[k][i - from] - 1.0;
        }
        struct reach reach;
        /*
         * By Sterbenz' lemma, distances from corners of pixels are exact if these are nearer to the corners of the drop
         * than zero is. Then their differences are the same for all pixels.
         */
        bool exact = true;
        if (!VARIANT(reach)(y, job->mosaic_height, job->top, job->height, &reach.bottom, &reach.top, &exact) ||
            !VARIANT(reach)(x, job->mosaic_width, job->left, job->width, &reach.left, &reach.right, &exact))
            continue;
        double area = 0.5 * ((x[1] - x[3]) * (y[0] - y[2]) - (x[0] - x[2]) * (y[1] - y[3]));
        bool mirrored = area < 0.0;
        if (mirrored)
            area = -area;
        int second = mirrored ? 3 : 1, fourth = mirrored ? 1 : 3;
        struct drop drop = {
            .x = {x[0], x[second], x[2], x[fourth]},
            .y = {y[0], y[second], y[2], y[fourth]},
            .x2 = {x[second], x[2], x[fourth], x[0]},
            .y2 = {y[second], y[2], y[fourth], y[0]},
            .area = area,
            .value = job->pixels[row * job->columns + i - 1] * scale2,
            .weight = job->weights[row * job->columns + i - 1] * job->weight_scale,
        };
        drop.dx = drop.x2 - drop.x;
        drop.slope = (drop.y2 - drop.y) / drop.dx;
        if (exact)
            VARIANT(spread)(job, &drop, true, reach);
        else
            VARIANT(spread)(job, &drop, false, reach);
    }
}

/* Drizzle all rows; `memory` has 8 rows of columns + 1 numbers. */
static void VARIANT(drop)(const struct job *job, double *memory)
{
    const int64_t length = job->columns + 1;
    const double half = 0.5 * job->pixfrac;
    const bool shared = job->pixfrac == 1.0;
    double *upper_x = memory, *upper_y = memory + length, *lower_x = memory + 2 * length, *lower_y = memory + 3 * length;
    int64_t placed = -1;
    for (int64_t row = 0; row < job->rows; row++) {
        int64_t first, last;
        double y = (double)(job->first + row + 1);
        if (!find_columns(job, y, &first, &last))
            continue;
        struct corners corners;
        if (shared) {
            /* neighbours have the same corners, which are exact numbers before they are placed */
            double *x = lower_x, *spare = lower_y;
            lower_x = upper_x, lower_y = upper_y, upper_x = x, upper_y = spare;
            if (placed != row)
                VARIANT(place_row)(&job->table, 0.5, y - half, length, lower_x, lower_y);
            VARIANT(place_row)(&job->table, 0.5, y + half, length, upper_x, upper_y);
            placed = row + 1;
            const double *low_x = lower_x + first - 1, *low_y = lower_y + first - 1;
            const double *up_x = upper_x + first - 1, *up_y = upper_y + first - 1;
            corners = (struct corners){{up_x, up_x + 1, low_x + 1, low_x}, {up_y, up_y + 1, low_y + 1, low_y}};
        } else {
            for (int k = 0; k < 4; k++) {
                double *x_out = memory + 2 * k * length, *y_out = x_out + length;
                double x_in = k == 1 || k == 2 ? (double)first + half : (double)first - half;
                VARIANT(place_row)(&job->table, x_in, k < 2 ? y + half : y - half, last - first + 1, x_out, y_out);
                corners.x[k] = x_out;
                corners.y[k] = y_out;
            }
        }
        VARIANT(drop_row)(job, &corners, row, first, last);
    }
}
