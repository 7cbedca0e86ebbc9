/*
 * Filters and sums of single-precision images, with the bits of scipy.ndimage and of stsci.imagestats.
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
        if (strcmp(set, "plain") != 0 && __builtin_cpu_supports("avx2"))
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

static PyObject *moments(PyObject *Py_UNUSED(self), PyObject *arguments)
{
    PyObject *object;
    Py_buffer view;
    float low, high;
    if (!PyArg_ParseTuple(arguments, "Off", &object, &low, &high) ||
        !get_array(object, &view, "the image", 'f', 1, false))
        return NULL;
    const float *image = view.buf;
    const int64_t length = view.shape[0];
    if (length == 0) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "there are no numbers");
        return NULL;
    }
    int64_t count = 0;
    double sum = 0, squares = 0;
    /* the first pixel counts for the range, even where it lies outside of the limits */
    float least = low > image[0] ? low : image[0], most = high < image[0] ? high : image[0];
    float mean;
    Py_BEGIN_ALLOW_THREADS
    /* a sum stays as it is with zero added, without a branch that cannot be predicted */
    for (int64_t k = 0; k < length; k++) {
        const float value = image[k];
        const bool good = value >= low && value <= high;
        count += good;
        sum += (double)(good ? value : 0.0f);
        least = good && value <= least ? value : least;
        most = good && value >= most ? value : most;
    }
    mean = (float)(sum / (double)count);
    for (int64_t k = 0; k < length; k++) {
        const float value = image[k], away = value - mean;
        squares += (double)(value >= least && value <= most ? away * away : 0.0f);
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    const float spread = (float)sqrt(squares / (double)(count - 1));
    return Py_BuildValue("Lffff", (long long)count, mean, spread, least, most);
}

static PyMethodDef methods[] = {
    {"correlate", correlate, METH_VARARGS, NULL}, {"moments", moments, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "filters", .m_size = 0, .m_methods = methods};

PyMODINIT_FUNC PyInit_filters(void)
{
    return PyModuleDef_Init(&module);
}
