/*
 * Drizzle rows of a chip onto a box of a mosaic with square drops.
 *
 * The result has the bits that drizzlepac's cdriz.tdriz computes for the whole mosaic: every number is the result of the
 * same operations in the same order. Corners are shared between neighbouring drops, and the four edges of a drop are
 * lanes of a vector. Compile without contraction of products and sums (-ffp-contract=off) and without -ffast-math.
 */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#include <Python.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef double lanes __attribute__((vector_size(32)));
typedef int64_t masks __attribute__((vector_size(32)));

/* Positions of nodes in the mosaic, counted from 1: pairs of x and y, every `step` pixels of the chip from 0 on. */
struct table {
    const double *nodes;
    int64_t rows, columns;
    double step;
};

struct job {
    struct table table;
    const float *pixels, *weights; /* rows of the chip */
    int64_t rows, columns, first;  /* `first` is the number of the first row, from 0 */
    float *science, *total;        /* the box */
    int32_t *context;              /* or NULL */
    int32_t bit;
    int64_t top, left, height, width;      /* of the box */
    int64_t mosaic_height, mosaic_width;
    double scale2, pixfrac;
    float weight_scale;
};

/* Corners of the drops of a row, in the order of drizzlepac. */
struct corners {
    const double *x[4], *y[4];
};

/* A drop in pixels of the mosaic, by edges from (x, y) to (x2, y2). */
struct drop {
    lanes x, y, x2, y2, dx, slope;
    double area, weight;
    float value;
};

/* Pixels of the mosaic, the last ones included. */
struct reach {
    int64_t bottom, top, left, right;
};

enum { SAMPLES = 21, MARGIN = 5 };

/* Positions of four nodes: left and right ones, lower ones first. */
struct cell {
    double x00, x10, x01, x11, y00, y10, y01, y11;
};

static inline __attribute__((always_inline)) struct cell find_cell(
    const struct table *table, int64_t row, int64_t column)
{
    const double *n0 = table->nodes + 2 * (row * table->columns + column), *n1 = n0 + 2 * table->columns;
    struct cell cell = {n0[0], n0[2], n1[0], n1[2], n0[1], n0[3], n1[1], n1[3]};
    /* drizzlepac takes long steps for the meridian of 0 degrees, in pixels as well */
    if (cell.x00 - cell.x10 > 359) {
        cell.x00 -= 360.0;
        cell.x01 -= 360.0;
    } else if (cell.x00 - cell.x10 < -359) {
        cell.x10 -= 360.0;
        cell.x11 -= 360.0;
    }
    return cell;
}

/* One coordinate between four nodes, at a distance of `right` from the left ones and of `up` from the lower ones. */
static inline __attribute__((always_inline)) double blend(
    double n00, double n10, double n01, double n11, double right, double up)
{
    double left = 1.0 - right, down = 1.0 - up;
    return n00 * left * down + n10 * right * down + n01 * left * up + n11 * right * up;
}

/* Position of a point of the chip, interpolated between nodes. */
static void place(const struct table *table, double x, double y, double *x_out, double *y_out)
{
    x /= table->step;
    y /= table->step;
    int64_t column = (int64_t)floor(x), row = (int64_t)floor(y);
    double right = x - (double)column, up = y - (double)row;
    const struct cell c = find_cell(table, row, column);
    *x_out = blend(c.x00, c.x10, c.x01, c.x11, right, up);
    *y_out = blend(c.y00, c.y10, c.y01, c.y11, right, up);
}

/* Columns of a row, counted from 1, that may reach the mosaic; false if none does. */
static bool find_columns(const struct job *job, double y, int64_t *first, int64_t *last)
{
    int64_t position[SAMPLES + 1], count = 0;
    double x_out[SAMPLES + 1], y_out[SAMPLES + 1];
    bool hit[SAMPLES + 1] = {false};
    int64_t step = job->columns < SAMPLES ? 1 : job->columns / (SAMPLES / 2);
    for (int64_t i = 1; i <= job->columns; i += step)
        position[count++] = i;
    if (position[count - 1] < job->columns)
        position[count++] = job->columns;
    for (int64_t i = 0; i < count; i++)
        place(&job->table, (double)position[i], y, &x_out[i], &y_out[i]);
    double right = (double)(job->mosaic_width + MARGIN), top = (double)(job->mosaic_height + MARGIN);
    for (int64_t i = 0; i + 1 < count; i++) {
        double x_low = x_out[i] < x_out[i + 1] ? x_out[i] : x_out[i + 1];
        double x_high = x_out[i] > x_out[i + 1] ? x_out[i] : x_out[i + 1];
        double y_low = y_out[i] < y_out[i + 1] ? y_out[i] : y_out[i + 1];
        double y_high = y_out[i] > y_out[i + 1] ? y_out[i] : y_out[i + 1];
        if (x_high >= 1.0 - MARGIN && x_low < right && y_high >= 1.0 - MARGIN && y_low < top)
            hit[i] = hit[i + 1] = true;
    }
    int64_t one = 0, other = count - 1;
    while (one < count && !hit[one])
        one++;
    if (one == count)
        return false;
    while (!hit[other])
        other--;
    *first = position[one > 0 ? one - 1 : 0];
    *last = position[other < count - 1 ? other + 1 : count - 1];
    return true;
}

/* Processors keep the sign of the first operand that is not a number, and compilers swap operands. */
static float keep_first(float one, float other, float result)
{
    return one != one ? one : other != other ? other : result;
}

/* Mean of a pixel and what is added to it, with the order of operands that drizzlepac's compiled kernel has. */
static __attribute__((noinline, cold)) float average_nan(float old, float was, float given, float value, float sum)
{
    float before = keep_first(old, was, old * was), added = keep_first(given, value, given * value);
    before = keep_first(before, added, before + added);
    return keep_first(before, sum, before / sum);
}

#define VARIANT(name) name##_plain
#include "square_rows.h"
#undef VARIANT

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAS_AVX2 1
#pragma GCC push_options
#pragma GCC target("avx2")
#define VARIANT(name) name##_avx2
#include "square_rows.h"
#undef VARIANT
#pragma GCC pop_options
#endif

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

static const char *find_fault(const struct job *job, const Py_buffer *views)
{
    enum { PIXELS, WEIGHTS, TABLE, SCIENCE, TOTAL, CONTEXT };
    const Py_ssize_t *table = views[TABLE].shape, *box = views[SCIENCE].shape;
    const int context = job->context != NULL;
    for (int axis = 0; axis < 2; axis++) {
        if (views[PIXELS].shape[axis] != views[WEIGHTS].shape[axis] || views[PIXELS].shape[axis] < 1)
            return "pixels and weights must have the same shape";
        if (box[axis] != views[TOTAL].shape[axis] || (context && box[axis] != views[CONTEXT].shape[axis]))
            return "arrays of the box must have the same shape";
    }
    if (job->first < 0 || job->top < 0 || job->left < 0)
        return "the first row and the position of the box must not be negative";
    if (!(job->pixfrac > 0.001 && job->pixfrac <= 1.0))
        return "pixfrac must be over 0.001 and at most 1";
    double step = job->table.step;
    if (!(step >= 1.0 && step == floor(step) && step < 1e6))
        return "the step must be a whole number";
    if (table[2] != 2 || table[0] < (job->first + job->rows) / (int64_t)step + 2 ||
        table[1] < job->columns / (int64_t)step + 2)
        return "the table must reach beyond the chip";
    return NULL;
}

static PyObject *drop(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    enum { PIXELS, WEIGHTS, TABLE, SCIENCE, TOTAL, CONTEXT, COUNT };
    static const char *const names[COUNT] = {"pixels", "weights", "table", "science", "total", "context"};
    static const char formats[COUNT + 1] = "ffdffi";
    PyObject *objects[COUNT], *result = NULL;
    Py_buffer views[COUNT];
    long long first, top, left, height, width;
    double step, scale, pixfrac;
    float weight_scale;
    int bit;
    const char *set = "auto";
    if (!PyArg_ParseTuple(
            arguments, "OOOOOOidLLLLLddf|s", &objects[PIXELS], &objects[WEIGHTS], &objects[TABLE], &objects[SCIENCE],
            &objects[TOTAL], &objects[CONTEXT], &bit, &step, &first, &top, &left, &height, &width, &scale, &pixfrac,
            &weight_scale, &set))
        return NULL;
    if (bit < 0 || bit > 31) {
        PyErr_SetString(PyExc_ValueError, "the bit must be from 0 to 31");
        return NULL;
    }
    int held = 0, count = objects[CONTEXT] == Py_None ? CONTEXT : COUNT;
    for (; held < count; held++)
        if (!get_array(objects[held], &views[held], names[held], formats[held], held == TABLE ? 3 : 2, held > TABLE))
            goto release;
    const Py_ssize_t *chip = views[PIXELS].shape, *nodes = views[TABLE].shape, *box = views[SCIENCE].shape;
    struct job job = {
        .table = {views[TABLE].buf, nodes[0], nodes[1], step},
        .pixels = views[PIXELS].buf,
        .weights = views[WEIGHTS].buf,
        .rows = chip[0],
        .columns = chip[1],
        .first = first,
        .science = views[SCIENCE].buf,
        .total = views[TOTAL].buf,
        .context = count == COUNT ? views[CONTEXT].buf : NULL,
        .bit = (int32_t)(UINT32_C(1) << bit),
        .top = top,
        .left = left,
        .height = box[0],
        .width = box[1],
        .mosaic_height = height,
        .mosaic_width = width,
        .scale2 = scale * scale,
        .pixfrac = pixfrac,
        .weight_scale = weight_scale,
    };
    const char *fault = find_fault(&job, views);
    if (fault != NULL) {
        PyErr_SetString(PyExc_ValueError, fault);
        goto release;
    }
    double *memory = malloc(8 * sizeof(double) * (size_t)(job.columns + 1));
    if (memory == NULL) {
        PyErr_NoMemory();
        goto release;
    }
    Py_BEGIN_ALLOW_THREADS
#ifdef HAS_AVX2
    if (strcmp(set, "plain") != 0 && __builtin_cpu_supports("avx2"))
        drop_avx2(&job, memory);
    else
#endif
        drop_plain(&job, memory);
    Py_END_ALLOW_THREADS
    free(memory);
    result = Py_NewRef(Py_None);
release:
    while (held > 0)
        PyBuffer_Release(&views[--held]);
    return result;
}

static PyMethodDef methods[] = {{"drop", drop, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "square", .m_size = 0, .m_methods = methods};

PyMODINIT_FUNC PyInit_square(void)
{
    return PyModuleDef_Init(&module);
}
