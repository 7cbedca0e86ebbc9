/*
 * Filters of single-precision images, with the bits of scipy.ndimage and of scikit-image.
 *
 * Every number is the result of the same operations in the same order, for several pixels side by side. Compile without
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
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 };

struct job {
    const float *image;
    float *found;
    const double *weights; /* 2 * reach + 1 */
    int64_t rows, columns, reach;
    double sign;     /* 1 for symmetric weights, -1 for antisymmetric ones */
    bool axis;       /* 0 along columns, 1 along rows */
    bool constant;   /* zeros beyond the image; else it is reflected */
    const float **lines; /* 2 * reach + 1 */
    float *memory;       /* a row with margins */
};

/* Add up pixels of several lines; the outermost pair of lines comes first after the middle, as in scipy. */
static inline __attribute__((always_inline)) void add_lines(const struct job *job, float *found, int64_t count)
{
    const int64_t reach = job->reach;
    const double *weights = job->weights, sign = job->sign;
    for (int64_t start = 0; start < count; start += BLOCK) {
        double sums[BLOCK];
        const int64_t length = count - start < BLOCK ? count - start : BLOCK;
        const float *middle = job->lines[reach] + start;
        for (int64_t x = 0; x < length; x++)
            sums[x] = (double)middle[x] * weights[reach];
        for (int64_t line = 0; line < reach; line++) {
            const float *one = job->lines[line] + start, *other = job->lines[2 * reach - line] + start;
            const double weight = weights[line];
            if (sign > 0)
                for (int64_t x = 0; x < length; x++)
                    sums[x] += ((double)one[x] + (double)other[x]) * weight;
            else
                for (int64_t x = 0; x < length; x++)
                    sums[x] += ((double)one[x] - (double)other[x]) * weight;
        }
        for (int64_t x = 0; x < length; x++)
            found[start + x] = (float)sums[x];
    }
}

/* Number of the row or column in whose place another one beyond the image is taken. */
static inline int64_t reflected(int64_t index, int64_t count)
{
    return index < 0 ? -1 - index : index >= count ? 2 * count - 1 - index : index;
}

static inline __attribute__((always_inline)) void correlate_any(const struct job *job)
{
    const int64_t rows = job->rows, columns = job->columns, reach = job->reach;
    for (int64_t row = 0; row < rows; row++) {
        if (job->axis) {
            float *line = job->memory + reach;
            memcpy(line, job->image + row * columns, (size_t)columns * sizeof(float));
            for (int64_t x = 1; x <= reach; x++) {
                line[-x] = job->constant ? 0.0f : line[reflected(-x, columns)];
                line[columns - 1 + x] = job->constant ? 0.0f : line[reflected(columns - 1 + x, columns)];
            }
            for (int64_t k = 0; k <= 2 * reach; k++)
                job->lines[k] = job->memory + k;
        } else {
            for (int64_t k = 0; k <= 2 * reach; k++) {
                const int64_t other = row + k - reach;
                const bool outside = other < 0 || other >= rows;
                job->lines[k] = outside && job->constant ? job->memory : job->image + reflected(other, rows) * columns;
            }
        }
        add_lines(job, job->found + row * columns, columns);
    }
}

static void correlate_plain(const struct job *job)
{
    correlate_any(job);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void correlate_avx2(const struct job *job)
{
    correlate_any(job);
}
#endif

/* The slopes of an image, their size, and where ridges go; all of the same shape. */
struct ridges {
    const float *up, *right, *size;
    float *found;
    int64_t rows, columns;
    float least;
};

/* Choose by a mask of all bits or none, which is no branch. */
static inline float pick(int32_t mask, float one, float other)
{
    int32_t first, second;
    float found;
    memcpy(&first, &one, sizeof first);
    memcpy(&second, &other, sizeof second);
    first = (first & mask) | (second & ~mask);
    memcpy(&found, &first, sizeof found);
    return found;
}

/* Keep pixels that are not below their neighbours along the slope, between which sizes are interpolated. */
static inline __attribute__((always_inline)) void thin_any(const struct ridges *job)
{
    const int64_t columns = job->columns;
    memset(job->found, 0, (size_t)(job->rows * columns) * sizeof(float));
    for (int64_t row = 1; row < job->rows - 1; row++) {
        const float *up = job->up + row * columns, *right = job->right + row * columns;
        const float *size = job->size + row * columns, *above = size + columns, *below = size - columns;
        float *found = job->found + row * columns;
        for (int64_t start = 1; start < columns - 1; start += BLOCK) {
            const int64_t length = columns - 1 - start < BLOCK ? columns - 1 - start : BLOCK;
            float share[BLOCK], ahead[BLOCK], behind[BLOCK], corner_ahead[BLOCK], corner_behind[BLOCK];
            for (int64_t k = 0; k < length; k++) {
                const int64_t x = start + k;
                const float rise = fabsf(up[x]), run = fabsf(right[x]);
                const float north = above[x], south = below[x], east = size[x + 1], west = size[x - 1];
                const float northeast = above[x + 1], southeast = below[x + 1];
                const float northwest = above[x - 1], southwest = below[x - 1];
                const int32_t same = -(((up[x] <= 0) & (right[x] <= 0)) | ((up[x] >= 0) & (right[x] >= 0)));
                const int32_t steep = (same & -(rise > run)) | (~same & -!(rise < run));
                const float next = pick(same, north, south), last = pick(same, south, north);
                const float next_corner = pick(same, northeast, southeast);
                const float last_corner = pick(same, southwest, northwest);
                share[k] = pick(steep, run, rise) / pick(steep, rise, run);
                ahead[k] = pick(steep, next, east);
                behind[k] = pick(steep, last, west);
                corner_ahead[k] = next_corner * share[k];
                corner_behind[k] = last_corner * share[k];
            }
            for (int64_t k = 0; k < length; k++) {
                const double rest = 1.0 - (double)share[k], here = (double)size[start + k];
                const double forward = (double)corner_ahead[k] + (double)ahead[k] * rest;
                const double backward = (double)corner_behind[k] + (double)behind[k] * rest;
                const double kept = forward <= here ? here : 0.0;
                found[start + k] = (float)(backward <= here ? kept : 0.0);
            }
            for (int64_t k = 0; k < length; k++)
                found[start + k] = size[start + k] >= job->least ? found[start + k] : 0.0f;
        }
    }
}

static void thin_plain(const struct ridges *job)
{
    thin_any(job);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void thin_avx2(const struct ridges *job)
{
    thin_any(job);
}
#endif

/* Interpolate between two cells along an axis: the first one, and the weights of both. */
struct places {
    int64_t *first;
    double *low, *high;
};

/* Places beyond the middle of the first and the last cell have two weights as well, of the same cell. */
static void find_places(struct places *places, int64_t cells, int64_t count)
{
    const double step = (double)cells / (double)count;
    for (int64_t k = 0; k < count; k++) {
        const double place = ((double)k + 0.5) * step - 0.5;
        places->first[k] = (int64_t)floor(place);
        places->high[k] = place - floor(place);
        places->low[k] = 1.0 - places->high[k];
    }
}

/* Number of a cell, or of the one at the edge for those beyond it. */
static inline int64_t nearest(int64_t cell, int64_t cells)
{
    return cell < 0 ? 0 : cell < cells ? cell : cells - 1;
}

static inline __attribute__((always_inline)) void stretch_any(const float *cells, int64_t width, int64_t height,
                                                              float *found, int64_t rows, int64_t columns,
                                                              const struct places *y, const struct places *x)
{
    for (int64_t row = 0; row < rows; row++) {
        const int64_t first = y->first[row];
        const float *lower = cells + nearest(first, height) * width;
        const float *upper = cells + nearest(first + 1, height) * width;
        for (int64_t start = 0, end; start < columns; start = end) {
            const int64_t left = nearest(x->first[start], width), right = nearest(x->first[start] + 1, width);
            for (end = start; end < columns && x->first[end] == x->first[start];)
                end++;
            const double a = (double)lower[left] * y->low[row], b = (double)lower[right] * y->low[row];
            const double c = (double)upper[left] * y->high[row], d = (double)upper[right] * y->high[row];
            float *line = found + row * columns;
            for (int64_t k = start; k < end; k++)
                line[k] = (float)(a * x->low[k] + b * x->high[k] + c * x->low[k] + d * x->high[k]);
        }
    }
}

static void stretch_plain(const float *cells, int64_t width, int64_t height, float *found, int64_t rows,
                          int64_t columns, const struct places *y, const struct places *x)
{
    stretch_any(cells, width, height, found, rows, columns, y, x);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void stretch_avx2(const float *cells, int64_t width, int64_t height,
                                                         float *found, int64_t rows, int64_t columns,
                                                         const struct places *y, const struct places *x)
{
    stretch_any(cells, width, height, found, rows, columns, y, x);
}
#endif

static bool has_avx2(const char *set)
{
#ifdef __x86_64__
    return strcmp(set, "plain") != 0 && __builtin_cpu_supports("avx2");
#else
    return set == NULL;
#endif
}

/* Get a contiguous array; `format` is one letter of the struct module. */
static bool get_array(PyObject *from, Py_buffer *view, const char *name, char format, int dimensions, bool writable)
{
    int flags = PyBUF_ND | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(from, view, flags | PyBUF_C_CONTIGUOUS) < 0)
        return false;
    if (view->ndim == dimensions && view->format != NULL && view->format[0] == format && view->format[1] == '\0')
        return true;
    PyBuffer_Release(view);
    PyErr_Format(PyExc_ValueError, "%s must have %d dimensions and type %c", name, dimensions, format);
    return false;
}

static PyObject *correlate(PyObject *Py_UNUSED(self), PyObject *arguments)
{
    enum { IMAGE, FOUND, WEIGHTS, COUNT };
    static const char *const names[] = {"the image", "the result", "weights"};
    static const char formats[] = {'f', 'f', 'd'};
    PyObject *objects[COUNT], *result = NULL;
    Py_buffer views[COUNT];
    int axis, symmetric, constant, held = 0;
    const char *set = "auto";
    if (!PyArg_ParseTuple(arguments, "OOOipp|s", &objects[IMAGE], &objects[FOUND], &objects[WEIGHTS], &axis,
                          &symmetric, &constant, &set))
        return NULL;
    for (; held < COUNT; held++)
        if (!get_array(objects[held], &views[held], names[held], formats[held], held == WEIGHTS ? 1 : 2, held == FOUND))
            goto release;
    const Py_ssize_t *shape = views[IMAGE].shape, *other = views[FOUND].shape;
    struct job job = {
        .image = views[IMAGE].buf,
        .found = views[FOUND].buf,
        .weights = views[WEIGHTS].buf,
        .rows = shape[0],
        .columns = shape[1],
        .reach = views[WEIGHTS].shape[0] / 2,
        .sign = symmetric ? 1.0 : -1.0,
        .axis = axis != 0,
        .constant = constant != 0,
    };
    if (shape[0] != other[0] || shape[1] != other[1] || views[WEIGHTS].shape[0] % 2 != 1 ||
        job.reach > shape[job.axis] || (!job.axis && job.image == job.found)) {
        PyErr_SetString(PyExc_ValueError, "shapes do not fit");
        goto release;
    }
    job.lines = malloc(sizeof(float *) * (size_t)(2 * job.reach + 1));
    job.memory = calloc((size_t)(job.columns + 2 * job.reach), sizeof(float));
    if (job.lines != NULL && job.memory != NULL) {
        Py_BEGIN_ALLOW_THREADS
#ifdef __x86_64__
        if (has_avx2(set))
            correlate_avx2(&job);
        else
#endif
            correlate_plain(&job);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    } else {
        PyErr_NoMemory();
    }
    free(job.lines);
    free(job.memory);
release:
    while (held > 0)
        PyBuffer_Release(&views[--held]);
    return result;
}

static PyObject *thin(PyObject *Py_UNUSED(self), PyObject *arguments)
{
    enum { UP, RIGHT, SIZE, FOUND, COUNT };
    static const char *const names[] = {"slopes along columns", "slopes along rows", "sizes", "the result"};
    PyObject *objects[COUNT], *result = NULL;
    Py_buffer views[COUNT];
    float least;
    int held = 0;
    const char *set = "auto";
    if (!PyArg_ParseTuple(arguments, "OOOOf|s", &objects[UP], &objects[RIGHT], &objects[SIZE], &objects[FOUND], &least,
                          &set))
        return NULL;
    for (; held < COUNT; held++) {
        if (!get_array(objects[held], &views[held], names[held], 'f', 2, held == FOUND))
            goto release;
        if (views[held].shape[0] != views[0].shape[0] || views[held].shape[1] != views[0].shape[1]) {
            PyErr_SetString(PyExc_ValueError, "shapes do not fit");
            held++;
            goto release;
        }
    }
    const struct ridges job = {
        .up = views[UP].buf,
        .right = views[RIGHT].buf,
        .size = views[SIZE].buf,
        .found = views[FOUND].buf,
        .rows = views[0].shape[0],
        .columns = views[0].shape[1],
        .least = least,
    };
    Py_BEGIN_ALLOW_THREADS
#ifdef __x86_64__
    if (has_avx2(set))
        thin_avx2(&job);
    else
#endif
        thin_plain(&job);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
release:
    while (held > 0)
        PyBuffer_Release(&views[--held]);
    return result;
}

static bool make_places(struct places *places, int64_t cells, int64_t count)
{
    places->first = malloc(sizeof(int64_t) * (size_t)count);
    places->low = malloc(sizeof(double) * (size_t)count);
    places->high = malloc(sizeof(double) * (size_t)count);
    if (places->first == NULL || places->low == NULL || places->high == NULL)
        return false;
    find_places(places, cells, count);
    return true;
}

static void free_places(struct places *places)
{
    free(places->first);
    free(places->low);
    free(places->high);
}

static PyObject *stretch(PyObject *Py_UNUSED(self), PyObject *arguments)
{
    PyObject *from, *to, *result = NULL;
    Py_buffer cells, found;
    const char *set = "auto";
    if (!PyArg_ParseTuple(arguments, "OO|s", &from, &to, &set) || !get_array(from, &cells, "cells", 'f', 2, false))
        return NULL;
    if (!get_array(to, &found, "the result", 'f', 2, true)) {
        PyBuffer_Release(&cells);
        return NULL;
    }
    struct places y = {NULL, NULL, NULL}, x = {NULL, NULL, NULL};
    const int64_t height = cells.shape[0], width = cells.shape[1], rows = found.shape[0], columns = found.shape[1];
    if (height < 1 || width < 1 || rows < 1 || columns < 1) {
        PyErr_SetString(PyExc_ValueError, "shapes do not fit");
    } else if (!make_places(&y, height, rows) || !make_places(&x, width, columns)) {
        PyErr_NoMemory();
    } else {
        Py_BEGIN_ALLOW_THREADS
#ifdef __x86_64__
        if (has_avx2(set))
            stretch_avx2(cells.buf, width, height, found.buf, rows, columns, &y, &x);
        else
#endif
            stretch_plain(cells.buf, width, height, found.buf, rows, columns, &y, &x);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    }
    free_places(&y);
    free_places(&x);
    PyBuffer_Release(&cells);
    PyBuffer_Release(&found);
    return result;
}

static PyMethodDef methods[] = {
    {"correlate", correlate, METH_VARARGS, NULL},
    {"stretch", stretch, METH_VARARGS, NULL},
    {"thin", thin, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "filters", .m_size = 0, .m_methods = methods};

PyMODINIT_FUNC PyInit_filters(void)
{
    return PyModuleDef_Init(&module);
}
