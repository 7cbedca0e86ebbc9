/*
 * Statistics of the pixels of an image within limits, and the pixels of a part of it.
 *
 * `moments` returns the bits of stsci.imagestats.computeMean, which adds pixel by pixel in double precision and rounds
 * the results to single precision. Here, lanes are added independently, with a bound of the difference between both
 * sums. Only if numbers within this bound round differently, pixels are added in the original order. Compile without
 * contraction of products and sums (-ffp-contract=off) and without -ffast-math.
 */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#include <Python.h>

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LANES 4
#define GROUPS 4
#define BLOCK 4096 /* pixels, a multiple of LANES * GROUPS */

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t whole __attribute__((vector_size(4 * LANES)));
typedef double doubles __attribute__((vector_size(8 * LANES)));

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/* Pixels within them count. */
struct limits {
    float low, high;
};

struct found {
    int64_t count;
    double sum;
    float least, greatest;
};

static inline bool is_inside(float pixel, struct limits limits)
{
    return (pixel >= limits.low) & (pixel <= limits.high); /* without a branch */
}

static inline floats choose(whole mask, floats one, floats other)
{
    return (floats)(((whole)one & mask) | ((whole)other & ~mask));
}

static inline floats fill(float number)
{
    return (floats){number, number, number, number};
}

static inline double total(const doubles sums[GROUPS])
{
    double all = 0.0;
    for (int group = 0; group < GROUPS; group++)
        for (int lane = 0; lane < LANES; lane++)
            all += sums[group][lane];
    return all;
}

/* Add the pixels of a block; their number is a multiple of LANES * GROUPS. */
FOR_EACH_PROCESSOR
static struct found add_block(const float *pixels, int64_t number, struct limits limits)
{
    const floats low = fill(limits.low), high = fill(limits.high);
    floats least[GROUPS], greatest[GROUPS];
    whole count = {0};
    doubles sums[GROUPS] = {{0}};
    for (int group = 0; group < GROUPS; group++)
        least[group] = high, greatest[group] = low;
    for (int64_t at = 0; at < number; at += LANES * GROUPS)
        for (int group = 0; group < GROUPS; group++) {
            floats pixel;
            memcpy(&pixel, pixels + at + LANES * group, sizeof pixel);
            whole inside = (pixel >= low) & (pixel <= high);
            count -= inside;
            sums[group] += __builtin_convertvector((floats)((whole)pixel & inside), doubles);
            least[group] = choose(inside & (pixel < least[group]), pixel, least[group]);
            greatest[group] = choose(inside & (pixel > greatest[group]), pixel, greatest[group]);
        }
    struct found found = {0, total(sums), limits.high, limits.low};
    for (int lane = 0; lane < LANES; lane++) {
        found.count += count[lane];
        for (int group = 0; group < GROUPS; group++) {
            found.least = fminf(found.least, least[group][lane]);
            found.greatest = fmaxf(found.greatest, greatest[group][lane]);
        }
    }
    return found;
}

/* The same for the squares of differences from a mean, which are of single precision. */
FOR_EACH_PROCESSOR
static double square_block(const float *pixels, int64_t number, struct limits limits, float mean)
{
    const floats low = fill(limits.low), high = fill(limits.high), from = fill(mean);
    doubles sums[GROUPS] = {{0}};
    for (int64_t at = 0; at < number; at += LANES * GROUPS)
        for (int group = 0; group < GROUPS; group++) {
            floats pixel;
            memcpy(&pixel, pixels + at + LANES * group, sizeof pixel);
            whole inside = (pixel >= low) & (pixel <= high);
            floats difference = (floats)((whole)(pixel - from) & inside);
            sums[group] += __builtin_convertvector(difference * difference, doubles);
        }
    return total(sums);
}

/* Add pixels in their order; a pixel outside adds 0, which leaves a sum as it is. */
static void add_in_order(const float *pixels, int64_t number, struct limits limits, struct found *found)
{
    for (int64_t at = 0; at < number; at++) {
        bool inside = is_inside(pixels[at], limits);
        found->count += inside;
        found->sum += inside ? pixels[at] : 0.0f;
        found->least = inside & (pixels[at] < found->least) ? pixels[at] : found->least;
        found->greatest = inside & (pixels[at] > found->greatest) ? pixels[at] : found->greatest;
    }
}

static double square_in_order(const float *pixels, int64_t number, struct limits limits, float mean, double sum)
{
    for (int64_t at = 0; at < number; at++) {
        float difference = is_inside(pixels[at], limits) ? pixels[at] - mean : 0.0f;
        sum += difference * difference;
    }
    return sum;
}

static float mean_of(double sum, int64_t count)
{
    return (float)(sum / (int)count);
}

static float deviation_of(double squares, int64_t count)
{
    return (float)sqrt(squares / ((int)count - 1));
}

/*
 * Return how far two sums can be apart, of which one adds a block pixel by pixel to an earlier sum.
 *
 * An addition errs by at most half a unit of its result, which is at most the earlier sum and the sizes of the pixels.
 */
static double bound(double before, double count, double sizes)
{
    const double unit = 0x1p-53;
    return unit * (count * (1.01 * fabs(before) + 2.1 * sizes) + 2.0 * fabs(before));
}

static int64_t whole_groups(int64_t length)
{
    return length / (LANES * GROUPS) * (LANES * GROUPS);
}

/* Add the pixels in their order if sums within the bound do not round to the same `mean`. */
static struct found find_mean(const float *pixels, int64_t number, struct limits limits, float *mean)
{
    const double largest = fmax(fabs(limits.low), fabs(limits.high));
    struct found all = {0, 0.0, limits.high, limits.low};
    double apart = 0.0;
    for (int64_t at = 0; at < number; at += BLOCK) {
        int64_t length = number - at < BLOCK ? number - at : BLOCK, even = whole_groups(length);
        struct found block = add_block(pixels + at, even, limits);
        add_in_order(pixels + at + even, length - even, limits, &block);
        if (block.count == 0)
            continue;
        apart += bound(all.sum, (double)block.count, (double)block.count * largest);
        all.count += block.count;
        all.sum += block.sum;
        all.least = fminf(all.least, block.least);
        all.greatest = fmaxf(all.greatest, block.greatest);
    }
    *mean = mean_of(all.sum - apart, all.count);
    if (*mean != 0.0f && *mean == mean_of(all.sum + apart, all.count))
        return all;
    all = (struct found){0, 0.0, limits.high, limits.low};
    add_in_order(pixels, number, limits, &all);
    *mean = mean_of(all.sum, all.count);
    return all;
}

static float find_deviation(const float *pixels, int64_t number, struct limits limits, float mean, int64_t count)
{
    double all = 0.0, apart = 0.0;
    for (int64_t at = 0; at < number; at += BLOCK) {
        int64_t length = number - at < BLOCK ? number - at : BLOCK, even = whole_groups(length);
        double block = square_block(pixels + at, even, limits, mean);
        block = square_in_order(pixels + at + even, length - even, limits, mean, block);
        apart += bound(all, (double)length, block);
        all += block;
    }
    float deviation = deviation_of(all - apart, count);
    if (deviation == deviation_of(all + apart, count))
        return deviation;
    return deviation_of(square_in_order(pixels, number, limits, mean, 0.0), count);
}

/* Of the two zeros, which are equal, the original has the sign of the last one. */
static float with_sign(float number, const float *pixels, int64_t last)
{
    if (number != 0.0f)
        return number;
    while (last > 0 && pixels[last - 1] != 0.0f)
        last--;
    return last > 0 ? pixels[last - 1] : number;
}

struct moments {
    int count;
    float mean, deviation, least, greatest;
};

/* The extremes start from the first pixel, as in the original: a first pixel below the limits makes `low` the least. */
static struct moments measure(const float *pixels, int64_t number, struct limits limits)
{
    struct moments made;
    struct found found = find_mean(pixels, number, limits, &made.mean);
    float least = limits.low > pixels[0] ? limits.low : pixels[0];
    float greatest = limits.high < pixels[0] ? limits.high : pixels[0];
    made.count = (int)found.count;
    made.least = with_sign(found.count > 0 && found.least <= least ? found.least : least, pixels, number);
    made.greatest = with_sign(found.count > 0 && found.greatest >= greatest ? found.greatest : greatest, pixels, number);
    made.deviation =
        find_deviation(pixels, number, (struct limits){made.least, made.greatest}, made.mean, found.count);
    return made;
}

/* Count the pixels within limits that are less than `middle.low`, and those within `middle`. */
FOR_EACH_PROCESSOR
static void count_pixels(
    const float *pixels, int64_t number, float low, struct limits middle, int64_t *below, int64_t *within)
{
    for (int64_t start = 0; start < number; start += BLOCK) {
        int64_t stop = number - start < BLOCK ? number : start + BLOCK;
        int32_t less = 0, inside = 0;
        for (int64_t at = start; at < stop; at++) {
            less += (pixels[at] >= low) & (pixels[at] < middle.low);
            inside += (pixels[at] >= middle.low) & (pixels[at] <= middle.high);
        }
        *below += less;
        *within += inside;
    }
}

static bool get_pixels(PyObject *from, Py_buffer *view, char format, bool writable)
{
    if (PyObject_GetBuffer(from, view, PyBUF_ND | PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return false;
    if (view->format != NULL && view->format[0] == format && view->format[1] == '\0')
        return true;
    PyBuffer_Release(view);
    PyErr_Format(PyExc_ValueError, "an array of type %c is needed", format);
    return false;
}

static PyObject *moments(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *image;
    struct limits limits;
    Py_buffer view;
    struct moments made;
    if (!PyArg_ParseTuple(arguments, "Off", &image, &limits.low, &limits.high) || !get_pixels(image, &view, 'f', false))
        return NULL;
    if (view.len == 0) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "an image without pixels");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    made = measure(view.buf, view.len / (Py_ssize_t)sizeof(float), limits);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    return Py_BuildValue("iffff", made.count, made.mean, made.deviation, made.least, made.greatest);
}

static PyObject *count(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *image;
    float low;
    struct limits middle;
    Py_buffer view;
    int64_t below = 0, within = 0;
    if (!PyArg_ParseTuple(arguments, "Offf", &image, &low, &middle.low, &middle.high) ||
        !get_pixels(image, &view, 'f', false))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    count_pixels(view.buf, view.len / (Py_ssize_t)sizeof(float), low, middle, &below, &within);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    return Py_BuildValue("LL", (long long)below, (long long)within);
}

static PyObject *take(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *image, *target;
    struct limits limits;
    Py_buffer view, taken;
    if (!PyArg_ParseTuple(arguments, "OffO", &image, &limits.low, &limits.high, &target) ||
        !get_pixels(image, &view, 'f', false))
        return NULL;
    if (!get_pixels(target, &taken, 'f', true)) {
        PyBuffer_Release(&view);
        return NULL;
    }
    const float *pixels = view.buf;
    float *to = taken.buf;
    int64_t number = view.len / (Py_ssize_t)sizeof(float), room = taken.len / (Py_ssize_t)sizeof(float), held = 0;
    Py_BEGIN_ALLOW_THREADS
    for (int64_t at = 0; at < number && held < room; at++) {
        to[held] = pixels[at];
        held += is_inside(pixels[at], limits);
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&taken);
    PyBuffer_Release(&view);
    return PyLong_FromLongLong(held);
}

static inline uint32_t read_pixel(const uint32_t *at, bool swapped)
{
    return swapped ? __builtin_bswap32(*at) : *at;
}

/* Copy the good ones of `number` pixels; return how many. */
static inline int64_t select_run(
    const uint32_t *pixels, const unsigned char *good, int64_t number, bool swapped, uint32_t *out)
{
    const int64_t step = sizeof(uint64_t);
    int64_t at = 0, held = 0;
    while (at < number) {
        uint64_t flags = 0;
        if (good != NULL && number - at >= step)
            memcpy(&flags, good + at, sizeof flags);
        if (flags == UINT64_C(0x0101010101010101) || good == NULL) {
            int64_t stop = good == NULL ? number : at + step;
            for (; at < stop; at++)
                out[held++] = read_pixel(pixels + at, swapped);
            continue;
        }
        int64_t stop = number - at < step ? number : at + step;
        for (; at < stop; at++) {
            out[held] = read_pixel(pixels + at, swapped);
            held += good[at] != 0;
        }
    }
    return held;
}

FOR_EACH_PROCESSOR
static int64_t select_runs(
    const uint32_t *pixels, const unsigned char *good, int64_t columns, const int64_t *runs, int64_t number, bool swapped,
    uint32_t *out)
{
    int64_t held = 0;
    for (const int64_t *run = runs; run < runs + 3 * number; run += 3) {
        int64_t from = run[0] * columns + run[1], length = run[2] - run[1];
        const unsigned char *flags = good == NULL ? NULL : good + from;
        held += swapped ? select_run(pixels + from, flags, length, true, out + held)
                        : select_run(pixels + from, flags, length, false, out + held);
    }
    return held;
}

static const char *find_bad_run(const Py_buffer *image, const Py_buffer *runs, int64_t room)
{
    const int64_t *run = runs->buf;
    if (image->ndim != 2 || runs->ndim != 2 || runs->shape[1] != 3)
        return "an image and an array of runs are needed";
    for (Py_ssize_t at = 0; at < runs->shape[0]; at++, run += 3) {
        if (run[0] < 0 || run[0] >= image->shape[0] || run[1] < 0 || run[1] > run[2] || run[2] > image->shape[1])
            return "a run is not in the image";
        room -= run[2] - run[1];
    }
    return room < 0 ? "the pixels do not fit in" : NULL;
}

static PyObject *select_pixels(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    enum { IMAGE, GOOD, RUNS, OUT, COUNT };
    PyObject *objects[COUNT], *result = NULL;
    static const char formats[COUNT + 1] = "IBlI";
    Py_buffer views[COUNT] = {{0}};
    int swapped;
    if (!PyArg_ParseTuple(
            arguments, "OOOpO", &objects[IMAGE], &objects[GOOD], &objects[RUNS], &swapped, &objects[OUT]))
        return NULL;
    for (int at = 0; at < COUNT; at++)
        if (objects[at] != Py_None && !get_pixels(objects[at], &views[at], formats[at], at == OUT))
            goto release;
    const char *fault = find_bad_run(&views[IMAGE], &views[RUNS], views[OUT].len / (Py_ssize_t)sizeof(uint32_t));
    if (fault == NULL && views[GOOD].buf != NULL && views[GOOD].len != views[IMAGE].len / (Py_ssize_t)sizeof(uint32_t))
        fault = "image and flags must have the same shape";
    if (fault != NULL) {
        PyErr_SetString(PyExc_ValueError, fault);
        goto release;
    }
    int64_t held, columns = views[IMAGE].shape[1], number = views[RUNS].shape[0];
    Py_BEGIN_ALLOW_THREADS
    held = select_runs(views[IMAGE].buf, views[GOOD].buf, columns, views[RUNS].buf, number, swapped, views[OUT].buf);
    Py_END_ALLOW_THREADS
    result = PyLong_FromLongLong(held);
release:
    for (int at = 0; at < COUNT; at++)
        if (views[at].obj != NULL)
            PyBuffer_Release(&views[at]);
    return result;
}

static PyMethodDef methods[] = {
    {"select", select_pixels, METH_VARARGS, NULL},
    {"moments", moments, METH_VARARGS, NULL},
    {"count", count, METH_VARARGS, NULL},
    {"take", take, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "clip", .m_size = 0, .m_methods = methods};

PyMODINIT_FUNC PyInit_clip(void)
{
    return PyModuleDef_Init(&module);
}
