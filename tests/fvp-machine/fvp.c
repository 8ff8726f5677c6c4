/*
 * The machine "fvp-base": a board with the memory map, power controller and system registers of
 * Arm's Base FVP (RevC, the older one, Foundation), as far as boot firmware and operating systems
 * use them. Built into QEMU by `cargo xtask`; README.md beside this file says what it shows.
 *
 * Written from TF-A's plat/arm/board/fvp, Arm's device trees, the register descriptions of the
 * arm-fvp-base-pac crate and the manuals of the TZC-400 (DDI 0504), CCI-400 (DDI 0470) and CCI-550
 * (100282). It was never compared with a Fast Models FVP.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qlist.h"
#include "exec/address-spaces.h"
#include "system/block-backend.h"
#include "system/blockdev.h"
#include "system/reset.h"
#include "system/runstate.h"
#include "system/system.h"
#include "hw/arm/boot.h"
#include "hw/arm/bsa.h"
#include "hw/block/flash.h"
#include "hw/boards.h"
#include "hw/char/pl011.h"
#include "hw/intc/arm_gicv3_common.h"
#include "hw/intc/arm_gicv3_its_common.h"
#include "hw/irq.h"
#include "hw/misc/unimp.h"
#include "hw/qdev-clock.h"
#include "hw/qdev-properties.h"
#include "hw/sysbus.h"
#include "hw/watchdog/cmsdk-apb-watchdog.h"
#include "target/arm/cpu.h"
#include "target/arm/cpu-qom.h"
#include "target/arm/gtimer.h"
#include "target/arm/multiprocessing.h"

#define CLUSTERS    2
#define CLUSTER     4                   /* cores in a cluster */
#define MAX_CPUS    (CLUSTERS * CLUSTER)
#define SPIS        224                 /* a GIC with 256 interrupts */
#define TIMER_HZ    100000000
#define MPIDR_MT    (1u << 24)

#define TYPE_FVP_MACHINE MACHINE_TYPE_NAME("fvp-base")
OBJECT_DECLARE_SIMPLE_TYPE(FvpMachineState, FVP_MACHINE)

typedef enum { REVC, BASE, FOUNDATION } Variant;

/* What the power controller knows of a core. */
typedef struct {
    bool on;
    bool pending_off;                   /* PPOFFR written: off at the next WFI */
    bool stays;                         /* with flaky=on: this time not */
    bool pending_cluster_off;           /* PCOFFR written: the cluster too, once all of it is off */
    bool wake;                          /* PWKUPR.WEN: the GIC may turn it on */
    uint8_t why;                        /* PSYSR.WK, below */
} Core;

enum { WHY_COLD = 0, WHY_PPONR = 2, WHY_GIC = 3 };

/* A frame of the memory-mapped generic timer: its physical timer. */
typedef struct {
    uint64_t cval;
    uint32_t ctl;
    QEMUTimer *timer;
    qemu_irq irq;
} Frame;

/* The two banks of DRAM. What each world sees of a bank are aliases, one for each TZC region. */
typedef struct {
    hwaddr base;
    uint64_t size;
    MemoryRegion ram;
    MemoryRegion view[2];
    MemoryRegion region[2][9];
} Bank;

struct FvpMachineState {
    MachineState parent;
    struct arm_boot_info bootinfo;

    /* Machine properties; README.md says what they are for. */
    char *variant_name, *startup;
    bool mt, tzc_on, strict, flaky, deep;
    int64_t late_sys_id, unknown_core;

    Variant variant;
    MemoryRegion secure;                /* what the secure world sees */
    DeviceState *gic;
    Clock *watchdog_clock;
    QEMUTimer *poll;                    /* looks at cores that go off, or wait to come on */
    QEMUTimer *loaded;                  /* ends the time in which files are put into DRAM */
    bool loading;

    Core core[MAX_CPUS];
    bool cluster_on[CLUSTERS];
    unsigned offs;                      /* power-offs that were to happen, with flaky=on */
    uint32_t psysr_id[MAX_CPUS];        /* what each core has written to PSYSR */

    bool snooped[CLUSTERS];             /* the interconnect's port of this cluster is open */
    bool cci_busy;

    uint32_t sys_id, led, flags, nvflags, cfgdata, cfgctrl, cfgstat, misc[64];
    uint32_t tzc[0x400];
    Bank bank[2];

    uint32_t cntcr, cntfrq, cntnsar, cntacr[8];
    Frame frame[2];
};

/* Something that works here and would not on hardware. With strict=on, the run fails for it. */
static void G_GNUC_PRINTF(2, 3) fault(FvpMachineState *s, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list ap;

    va_start(ap, format);
    what = g_strdup_vprintf(format, ap);
    va_end(ap);
    error_report("fvp-base: %s", what);
    if (s->strict) {
        qemu_system_shutdown_request_with_code(SHUTDOWN_CAUSE_GUEST_PANIC, 1);
    }
}

/* ------------------------------------------------------------------------------------ cores */

/* MPIDR_EL1's affinity fields: one thread a core where the MT bit is set. */
static uint64_t affinity(FvpMachineState *s, int n)
{
    int cluster = n / CLUSTER, core = n % CLUSTER;

    return s->mt ? MPIDR_MT | cluster << 16 | core << 8 : cluster << 8 | core;
}

static int core_by_affinity(FvpMachineState *s, uint32_t id)
{
    for (int n = 0; n < MACHINE(s)->smp.cpus; n++) {
        if ((affinity(s, n) & 0xffffff) == (id & 0xffffff)) {
            return n == s->unknown_core ? -1 : n;
        }
    }
    return -1;
}

/*
 * QEMU resets registers to zero where the architecture says UNKNOWN. Software that relies on a
 * zero, or on what the register had before, must fail here as it would on a core.
 *
 * Left alone: what the reset vector's own code may need (SCR_EL3, and the SCTLRs, which every core
 * that is known resets), debug and PMU registers, HCR_EL2.E2H, and PSTATE.
 */
static void forget(CPUARMState *env)
{
    const uint64_t junk = 0xbad0bad000bad008;   /* no address, and aligned */

    for (int i = 0; i < 31; i++) {
        env->xregs[i] = junk + (i << 16);
    }
    for (int el = 0; el < 4; el++) {
        env->sp_el[el] = env->elr_el[el] = env->cp15.vbar_el[el] = junk;
        env->cp15.tpidr_el[el] = env->cp15.contextidr_el[el] = junk;
        env->cp15.far_el[el] = env->cp15.par_el[el] = env->cp15.mair_el[el] = junk;
        env->cp15.ttbr0_el[el] = env->cp15.ttbr1_el[el] = env->cp15.tcr_el[el] = junk;
    }
    for (int i = 0; i < ARRAY_SIZE(env->banked_spsr); i++) {
        env->banked_spsr[i] = 0x3cd;
    }
    for (int z = 0; z < 32; z++) {
        for (int i = 0; i < ARRAY_SIZE(env->vfp.zregs[0].d); i++) {
            env->vfp.zregs[z].d[i] = junk + (z << 16) + i;
        }
    }
    env->keys.apia.lo = env->keys.apia.hi = env->keys.apga.lo = env->keys.apga.hi = junk;
    env->cp15.hcr_el2 = 0x40080038;             /* traps TSC, TVM; FMO, IMO, AMO */
    env->cp15.cptr_el[2] = env->cp15.cptr_el[3] = 0x80000400;  /* TCPAC, TFP */
    env->cp15.cpacr_el1 = env->cp15.vttbr_el2 = env->cp15.vtcr_el2 = 0;
    env->cp15.hstr_el2 = 0xffff;
    env->cp15.vpidr_el2 = env->cp15.vmpidr_el2 = junk;
    env->cp15.cnthctl_el2 = env->cp15.c14_cntkctl = 0;
    env->cp15.cntvoff_el2 = junk;
    env->cp15.c14_cntfrq = 0;
    arm_rebuild_hflags(env);
}

/* A core without power: its registers, CPU interface and timers are lost. On its own thread. */
static void lose_power(CPUState *cs, run_on_cpu_data data)
{
    ARMCPU *cpu = ARM_CPU(cs);

    cpu_reset(cs);
    for (int t = 0; t < NUM_GTIMERS; t++) {
        qemu_irq_lower(cpu->gt_timer_outputs[t]);
    }
    cpu->power_state = PSCI_OFF;
    cs->halted = 1;
    cs->exception_index = EXCP_HLT;
}

/* Power, reset, and the reset vector at EL3. On its own thread. */
static void get_power(CPUState *cs, run_on_cpu_data data)
{
    cpu_reset(cs);
    forget(&ARM_CPU(cs)->env);
    ARM_CPU(cs)->power_state = PSCI_ON;
    cs->halted = 0;
}

static bool data_cache_on(int n)
{
    return ARM_CPU(qemu_get_cpu(n))->env.cp15.sctlr_el[3] & SCTLR_C;
}

/*
 * There are no caches here. What can be seen is the order that coherency needs: while a core has
 * its data cache on, the interconnect must snoop its cluster.
 */
static void check_coherency(FvpMachineState *s)
{
    for (int n = 0; n < MACHINE(s)->smp.cpus; n++) {
        if (s->variant != FOUNDATION && s->core[n].on && !qemu_get_cpu(n)->halted
            && data_cache_on(n) && !s->snooped[n / CLUSTER]) {
            fault(s, "core %d has its data cache on, and the interconnect does not snoop cluster %d",
                  n, n / CLUSTER);
        }
    }
}

/* ------------------------------------------------------------------ power controller, 0x1c100000 */

enum { PPOFFR = 0x0, PPONR = 0x4, PCOFFR = 0x8, PWKUPR = 0xc, PSYSR = 0x10 };

static bool cluster_busy(FvpMachineState *s, int cluster)
{
    for (int n = cluster * CLUSTER; n < (cluster + 1) * CLUSTER; n++) {
        if (s->core[n].on) {
            return true;
        }
    }
    return false;
}

static void set_pending_cluster_off(FvpMachineState *s, int cluster, bool pending)
{
    for (int n = cluster * CLUSTER; n < (cluster + 1) * CLUSTER; n++) {
        s->core[n].pending_cluster_off = pending;
    }
}

static void tzc_reset(FvpMachineState *s);

static void core_on(FvpMachineState *s, int n, uint8_t why)
{
    Core *c = &s->core[n];

    c->on = true;
    c->pending_off = false;
    c->why = why;
    s->cluster_on[n / CLUSTER] = true;
    set_pending_cluster_off(s, n / CLUSTER, false);
    async_run_on_cpu(qemu_get_cpu(n), get_power, RUN_ON_CPU_NULL);
}

static void core_off(FvpMachineState *s, int n)
{
    Core *c = &s->core[n];
    int cluster = n / CLUSTER;

    if (data_cache_on(n)) {
        fault(s, "core %d loses power with its data cache on", n);
    }
    c->on = c->pending_off = false;
    c->why = WHY_COLD;
    if (c->pending_cluster_off && !cluster_busy(s, cluster)) {
        s->cluster_on[cluster] = false;
        set_pending_cluster_off(s, cluster, false);
        if (s->variant != FOUNDATION && s->snooped[cluster]) {
            fault(s, "cluster %d loses power, and the interconnect still snoops it", cluster);
        }
        if (s->deep && !cluster_busy(s, 1 - cluster)) {
            tzc_reset(s);
        }
    }
    async_run_on_cpu(qemu_get_cpu(n), lose_power, RUN_ON_CPU_NULL);
}

/*
 * WakeRequest, which QEMU's GIC does not have as a wire: a redistributor asserts it for an interrupt
 * that its sleeping core would take (GICR_WAKER.ProcessorSleep set).
 */
static bool wake_request(FvpMachineState *s, int n)
{
    GICv3CPUState *redistributor = &ARM_GICV3_COMMON(s->gic)->cpu[n];

    return redistributor->gicr_waker & 2 && redistributor->hppi.prio != 0xff;
}

/* A WFI ends, though no interrupt is there. On the core's own thread. */
static void end_wfi(CPUState *cs, run_on_cpu_data data)
{
    cs->halted = 0;
}

/* A core with a pending "off" loses power once it waits in a WFI. */
static void poll_cores(void *opaque)
{
    FvpMachineState *s = opaque;
    int64_t again = 0;

    for (int n = 0; n < MACHINE(s)->smp.cpus; n++) {
        Core *c = &s->core[n];

        if (c->on && c->pending_off && qemu_get_cpu(n)->halted) {
            if (s->flaky && !c->stays && s->offs++ % 3 == 0) {
                c->stays = true;
                async_run_on_cpu(qemu_get_cpu(n), end_wfi, RUN_ON_CPU_NULL);
            } else if (!c->stays) {
                core_off(s, n);
            }
        } else if (!c->on && c->wake && wake_request(s, n)) {
            core_on(s, n, WHY_GIC);
        }
        if (c->on && c->pending_off) {
            again = 10 * SCALE_US;
        } else if (!c->on && c->wake && !again) {
            again = 50 * SCALE_US;
        }
    }
    if (again) {
        timer_mod(s->poll, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + again);
    }
}

/*
 * PSYSR takes two accesses, and BL1 makes them without a lock: with one ID for all, a core that starts
 * could read the status of another one and take its wake-up for a cold boot. A machine that runs
 * one core at a time hides it; here the cores run at the same time, and each has an ID of its own.
 */
static uint32_t *psysr_id(FvpMachineState *s)
{
    return &s->psysr_id[current_cpu ? current_cpu->cpu_index : 0];
}

static uint64_t pwrc_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpMachineState *s = opaque;
    uint32_t id = *psysr_id(s);
    int n = core_by_affinity(s, id);
    uint32_t l2, l1;
    Core *c;

    check_coherency(s);
    if (offset != PSYSR || n < 0) {
        return 0xffffffff;
    }
    c = &s->core[n];
    /* The cluster is affinity level 2 with the MT bit, level 1 without. */
    l2 = s->mt ? s->cluster_on[n / CLUSTER] : 0;
    l1 = s->mt ? c->on : s->cluster_on[n / CLUSTER];
    return l2 << 31 | l1 << 30 | (uint32_t)c->on << 29 | c->wake << 28 | c->pending_cluster_off << 27
           | c->pending_off << 26 | c->why << 24 | id;
}

static void pwrc_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpMachineState *s = opaque;
    int n = core_by_affinity(s, value);
    Core *c;

    check_coherency(s);
    if (offset == PSYSR) {
        *psysr_id(s) = value & 0xffffff;
        return;
    }
    if (n < 0) {
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-base: power controller: no core 0x%" PRIx64 "\n", value);
        return;
    }
    c = &s->core[n];
    switch (offset) {
    case PPOFFR:
        if (current_cpu && current_cpu->cpu_index != n) {
            fault(s, "core %d turns off core %d", current_cpu->cpu_index, n);
        }
        c->pending_off = true;
        c->stays = false;
        break;
    case PPONR:                         /* takes back a pending "off" of a core that is on */
        if (c->on) {
            c->pending_off = false;
            set_pending_cluster_off(s, n / CLUSTER, false);
        } else {
            core_on(s, n, WHY_PPONR);
        }
        break;
    case PCOFFR:
        set_pending_cluster_off(s, n / CLUSTER, true);
        break;
    case PWKUPR:
        c->wake = value >> 31;
        break;
    default:
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-base: power controller: write at 0x%" HWADDR_PRIx "\n",
                      offset);
    }
    poll_cores(s);
}

static const MemoryRegionOps pwrc_ops = {
    .read = pwrc_read, .write = pwrc_write, .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

/* Which cores have power at the start; firmware can use core 0 alone. */
static bool starts_on(FvpMachineState *s, int n)
{
    return n == 0 || !strcmp(s->startup, "all") || (!strcmp(s->startup, "cluster0") && n < CLUSTER);
}

/* ------------------------------------------- interconnect, CCI-550 0x2a000000 or CCI-400 0x2c090000 */

/* The slave interface that a cluster is behind; that of number i has its registers at 0x1000 * (i + 1). */
static hwaddr cci_port(FvpMachineState *s, int cluster)
{
    return 0x1000 * ((s->variant == REVC ? 5 : 3) + cluster + 1);
}

static uint64_t cci_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpMachineState *s = opaque;
    uint32_t part = s->variant == REVC ? 0x423 : 0x420;
    bool busy;

    switch (offset) {
    case 0xc:                           /* Status: change_pending, for a moment */
        busy = s->cci_busy;
        s->cci_busy = false;
        return busy;
    case 0xfe0:
        return part & 0xff;
    case 0xfe4:
        return 0xb0 | part >> 8;
    }
    for (int c = 0; c < CLUSTERS; c++) {
        if (offset == cci_port(s, c)) {
            return 0xc0000000 | (s->snooped[c] ? 3 : 0);
        }
    }
    return 0;
}

static void cci_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpMachineState *s = opaque;

    for (int c = 0; c < CLUSTERS; c++) {
        if (offset == cci_port(s, c)) {
            s->snooped[c] = (value & 3) == 3;
            s->cci_busy = true;
        }
    }
    check_coherency(s);
}

static const MemoryRegionOps cci_ops = {
    .read = cci_read, .write = cci_write, .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

/* ------------------------------------------------------------------- system registers, 0x1c010000 */

enum {
    SYS_ID = 0x0, SYS_LED = 0x8, SYS_100HZ = 0x24, SYS_FLAGS = 0x30, SYS_FLAGSCLR = 0x34,
    SYS_NVFLAGS = 0x38, SYS_NVFLAGSCLR = 0x3c, SYS_24MHZ = 0x5c, SYS_CFGDATA = 0xa0,
    SYS_CFGCTRL = 0xa4, SYS_CFGSTAT = 0xa8,
};

static uint64_t ticks(uint32_t hz)
{
    return muldiv64(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL), hz, NANOSECONDS_PER_SECOND);
}

static bool tzc_is_open(FvpMachineState *s);

static uint64_t sysreg_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpMachineState *s = opaque;

    switch (offset) {
    case SYS_ID:      return tzc_is_open(s) && s->late_sys_id >= 0 ? s->late_sys_id : s->sys_id;
    case SYS_LED:     return s->led;
    case SYS_100HZ:   return ticks(100);
    case SYS_FLAGS:   return s->flags;
    case SYS_NVFLAGS: return s->nvflags;
    case SYS_24MHZ:   return ticks(24000000);
    case SYS_CFGDATA: return s->cfgdata;
    case SYS_CFGCTRL: return s->cfgctrl;
    case SYS_CFGSTAT: return s->cfgstat;
    default:          return offset < sizeof(s->misc) ? s->misc[offset / 4] : 0;
    }
}

static void configure(FvpMachineState *s, uint32_t value)
{
    enum { START = 1u << 31, SHUTDOWN = 8, REBOOT = 9, COMPLETE = 1, ERROR = 2 };

    s->cfgctrl = value & ~START;
    if (!(value & START)) {
        return;
    }
    s->cfgstat = COMPLETE;
    switch (extract32(value, 20, 6)) {
    case SHUTDOWN:
        qemu_system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        break;
    case REBOOT:
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        break;
    default:
        s->cfgstat |= ERROR;
    }
}

static void sysreg_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpMachineState *s = opaque;

    switch (offset) {
    case SYS_ID: case SYS_100HZ: case SYS_24MHZ: break;
    case SYS_LED:        s->led = value; break;
    case SYS_FLAGS:      s->flags |= value; break;
    case SYS_FLAGSCLR:   s->flags &= ~value; break;
    case SYS_NVFLAGS:    s->nvflags |= value; break;
    case SYS_NVFLAGSCLR: s->nvflags &= ~value; break;
    case SYS_CFGDATA:    s->cfgdata = value; break;
    case SYS_CFGCTRL:    configure(s, value); break;
    case SYS_CFGSTAT:    s->cfgstat = value; break;
    default:
        if (offset < sizeof(s->misc)) {
            s->misc[offset / 4] = value;
        }
    }
}

static const MemoryRegionOps sysreg_ops = {
    .read = sysreg_read, .write = sysreg_write, .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 }, .impl = { .min_access_size = 4 },
};

/* ------------------------------------------------------------------------------ TZC-400, 0x2a4a0000 */

enum { TZC_GATE_KEEPER = 0x8, TZC_REGIONS = 0x100, TZC_REGION_SIZE = 0x20 };
enum { TZC_BASE, TZC_BASE_HIGH, TZC_TOP, TZC_TOP_HIGH, TZC_ATTRIBUTES, TZC_ID_ACCESS };

#define NSAID_CORES 9                   /* the cores' number among the masters */

/*
 * Enables, for each world, the aliases of what it may reach of DRAM; the rest is an external abort.
 * Filter 0 decides for all, and a world that may read or write may do both.
 */
static void tzc_apply(FvpMachineState *s)
{
    bool works = s->tzc_on && !s->loading && s->variant != FOUNDATION;
    bool open = tzc_is_open(s);

    memory_region_transaction_begin();
    for (int b = 0; b < 2; b++) {
        Bank *bank = &s->bank[b];

        for (int r = 0; r < 9; r++) {
            uint32_t *reg = &s->tzc[(TZC_REGIONS + r * TZC_REGION_SIZE) / 4];
            hwaddr from = reg[TZC_BASE] | (uint64_t)reg[TZC_BASE_HIGH] << 32;
            hwaddr to = reg[TZC_TOP] | (uint64_t)reg[TZC_TOP_HIGH] << 32;
            bool used = reg[TZC_ATTRIBUTES] & 1;
            bool may[2] = {
                reg[TZC_ID_ACCESS] >> NSAID_CORES & 0x10001,
                reg[TZC_ATTRIBUTES] >> 30,
            };

            if (r == 0 || !works) {     /* region 0 is everything that no other region is */
                from = 0;
                to = UINT64_MAX;
                used = r == 0;
            }
            from = MAX(from, bank->base);
            to = MIN(to, bank->base + bank->size - 1);
            used = used && from < to && (open || !works);
            for (int world = 0; world < 2; world++) {
                MemoryRegion *alias = &bank->region[world][r];

                memory_region_set_enabled(alias, false);
                if (used && (may[world] || !works)) {
                    memory_region_set_alias_offset(alias, from - bank->base);
                    memory_region_set_size(alias, to - from + 1);
                    memory_region_set_address(alias, from - bank->base);
                    memory_region_set_enabled(alias, true);
                }
            }
        }
    }
    memory_region_transaction_commit();
}

static bool tzc_is_open(FvpMachineState *s)
{
    return s->tzc[TZC_GATE_KEEPER / 4] >> 16 & 1;
}

static void tzc_reset(FvpMachineState *s)
{
    memset(s->tzc, 0, sizeof(s->tzc));
    /* Region 0: open to secure accesses, once the gates are. */
    s->tzc[TZC_REGIONS / 4 + TZC_ATTRIBUTES] = 0xc0000000;
    tzc_apply(s);
}

/* `-device loader` fills DRAM at reset, when the TZC is still closed: it works from then on. */
static void tzc_loaded(void *opaque)
{
    ((FvpMachineState *)opaque)->loading = false;
    tzc_apply(opaque);
}

static uint64_t tzc_read(void *opaque, hwaddr offset, unsigned size)
{
    static const uint8_t ids[] = {      /* 0xfd0 on: peripheral ID 4 to 7, 0 to 3, component ID */
        0x04, 0, 0, 0, 0x60, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1
    };
    FvpMachineState *s = opaque;

    if (offset == 0) {
        return 0x03003f08;              /* 4 filters, 64 address bits, 9 regions */
    }
    return offset >= 0xfd0 ? ids[(offset - 0xfd0) / 4] : s->tzc[offset / 4];
}

static void tzc_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpMachineState *s = opaque;

    if (offset == TZC_GATE_KEEPER) {    /* what is asked for is so at once */
        value = (value & 0xf) | (value & 0xf) << 16;
    }
    s->tzc[offset / 4] = value;
    if (offset == TZC_GATE_KEEPER || offset >= TZC_REGIONS) {
        tzc_apply(s);
    }
}

static const MemoryRegionOps tzc_ops = {
    .read = tzc_read, .write = tzc_write, .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

/* ------------------------------------------------------------- the memory-mapped generic timer */

static uint64_t cntcontrol_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpMachineState *s = opaque;

    switch (offset) {
    case 0x00: return s->cntcr;
    case 0x04: return 1 << 8;           /* runs at the frequency of entry 0 */
    case 0x08: return (uint32_t)ticks(TIMER_HZ);
    case 0x0c: return ticks(TIMER_HZ) >> 32;
    case 0x20: return TIMER_HZ;
    default:   return 0;
    }
}

static void cntcontrol_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    if (offset == 0) {
        ((FvpMachineState *)opaque)->cntcr = value;
    }
}

static const MemoryRegionOps cntcontrol_ops = {
    .read = cntcontrol_read, .write = cntcontrol_write, .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

static uint64_t cntctl_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpMachineState *s = opaque;

    switch (offset) {
    case 0x00: return s->cntfrq;
    case 0x04: return s->cntnsar;
    case 0x08: return 0x11;             /* frames 0 and 1 are there, without virtual timers */
    case 0x40 ... 0x5c: return s->cntacr[(offset - 0x40) / 4];
    default:   return 0;
    }
}

static void cntctl_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpMachineState *s = opaque;

    switch (offset) {
    case 0x00: s->cntfrq = value; break;
    case 0x04: s->cntnsar = value; break;
    case 0x40 ... 0x5c: s->cntacr[(offset - 0x40) / 4] = value & 0x3f; break;
    }
}

static const MemoryRegionOps cntctl_ops = {
    .read = cntctl_read, .write = cntctl_write, .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

static void frame_update(void *opaque)
{
    Frame *f = opaque;
    uint64_t now = ticks(TIMER_HZ);
    bool enabled = f->ctl & 1, masked = f->ctl & 2;

    qemu_set_irq(f->irq, enabled && !masked && now >= f->cval);
    timer_del(f->timer);
    if (enabled && now < f->cval) {
        uint64_t left = MIN(f->cval - now, 1000ull * TIMER_HZ);

        timer_mod(f->timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL)
                            + muldiv64(left, NANOSECONDS_PER_SECOND, TIMER_HZ) + 1);
    }
}

static uint64_t frame_read(void *opaque, hwaddr offset, unsigned size)
{
    Frame *f = opaque;
    uint64_t now = ticks(TIMER_HZ);

    switch (offset) {
    case 0x00: case 0x08: return (uint32_t)now;
    case 0x04: case 0x0c: return now >> 32;
    case 0x10: return TIMER_HZ;
    case 0x20: return (uint32_t)f->cval;
    case 0x24: return f->cval >> 32;
    case 0x28: return (uint32_t)(f->cval - now);
    case 0x2c: return f->ctl | (now >= f->cval) << 2;
    default:   return 0;
    }
}

static void frame_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Frame *f = opaque;

    switch (offset) {
    case 0x20: f->cval = deposit64(f->cval, 0, 32, value); break;
    case 0x24: f->cval = deposit64(f->cval, 32, 32, value); break;
    case 0x28: f->cval = ticks(TIMER_HZ) + (int32_t)value; break;
    case 0x2c: f->ctl = value & 3; break;
    }
    frame_update(f);
}

static const MemoryRegionOps frame_ops = {
    .read = frame_read, .write = frame_write, .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* ------------------------------------------------------------------------------------ the board */

static MemoryRegion *world(FvpMachineState *s, bool secure_only)
{
    return secure_only ? &s->secure : get_system_memory();
}

static void add_io(FvpMachineState *s, const char *name, const MemoryRegionOps *ops, void *opaque,
                   hwaddr base, uint64_t size, bool secure_only)
{
    MemoryRegion *region = g_new0(MemoryRegion, 1);

    memory_region_init_io(region, OBJECT(s), ops, opaque, name, size);
    memory_region_add_subregion(world(s, secure_only), base, region);
}

static void add_ram(FvpMachineState *s, const char *name, hwaddr base, uint64_t size, bool secure_only)
{
    MemoryRegion *region = g_new0(MemoryRegion, 1);

    memory_region_init_ram(region, NULL, name, size, &error_fatal);
    memory_region_add_subregion(world(s, secure_only), base, region);
}

/* 64 MiB of NOR flash, two 16-bit chips with blocks of 256 KiB, filled by -drive if=pflash,unit=. */
static void add_flash(FvpMachineState *s, int unit, hwaddr base, bool secure_only)
{
    static const char *const names[] = { "fvp.secureflash", "fvp.flash0", "fvp.flash1" };
    DeviceState *dev = qdev_new(TYPE_PFLASH_CFI01);
    DriveInfo *drive = drive_get(IF_PFLASH, 0, unit);

    if (drive) {
        qdev_prop_set_drive(dev, "drive", blk_by_legacy_dinfo(drive));
    }
    qdev_prop_set_uint32(dev, "num-blocks", 64 * MiB / (256 * KiB));
    qdev_prop_set_uint64(dev, "sector-length", 256 * KiB);
    qdev_prop_set_uint8(dev, "width", 4);
    qdev_prop_set_uint8(dev, "device-width", 2);
    qdev_prop_set_bit(dev, "big-endian", false);
    qdev_prop_set_uint16(dev, "id0", 0x89);
    qdev_prop_set_uint16(dev, "id1", 0x18);
    qdev_prop_set_string(dev, "name", names[unit]);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    memory_region_add_subregion(world(s, secure_only), base,
                                sysbus_mmio_get_region(SYS_BUS_DEVICE(dev), 0));
}

/* A bank of DRAM: each world sees of it what the TZC allows. */
static void add_bank(FvpMachineState *s, int b, hwaddr base, uint64_t offset, uint64_t size)
{
    Bank *bank = &s->bank[b];
    MemoryRegion *denied = g_new0(MemoryRegion, 1);

    bank->base = base;
    bank->size = size;
    memory_region_init_alias(&bank->ram, OBJECT(s), "fvp.dram", MACHINE(s)->ram, offset, size);
    for (int w = 0; w < 2; w++) {
        memory_region_init(&bank->view[w], OBJECT(s), w ? "fvp.dram-secure" : "fvp.dram-normal", size);
        for (int r = 0; r < 9; r++) {
            MemoryRegion *alias = &bank->region[w][r];

            memory_region_init_alias(alias, OBJECT(s), "fvp.tzc-region", &bank->ram, 0, size);
            memory_region_set_enabled(alias, false);
            memory_region_add_subregion_overlap(&bank->view[w], 0, alias, r);
        }
    }
    if (!size) {
        return;
    }
    memory_region_add_subregion(get_system_memory(), base, &bank->view[0]);
    /* Where the secure world sees nothing, it must not see through to the normal world's view. */
    memory_region_init_io(denied, OBJECT(s), NULL, NULL, "fvp.dram-denied", size);
    memory_region_add_subregion_overlap(&s->secure, base, denied, 0);
    memory_region_add_subregion_overlap(&s->secure, base, &bank->view[1], 1);
}

static void add_cores(FvpMachineState *s)
{
    MachineState *machine = MACHINE(s);

    for (int n = 0; n < machine->smp.cpus; n++) {
        Object *cpu = object_new(machine->cpu_type);

        object_property_set_int(cpu, "mp-affinity", affinity(s, n), &error_fatal);
        if (!strcmp(machine->cpu_type, ARM_CPU_TYPE_NAME("max"))) {
            /* The AEM's MIDR_EL1: TF-A knows its power-down sequence by it. */
            object_property_set_int(cpu, "midr", 0x410fd0f0, &error_fatal);
        }
        object_property_set_int(cpu, "rvbar", 0, &error_abort);
        object_property_set_int(cpu, "cntfrq", TIMER_HZ, &error_abort);
        object_property_set_bool(cpu, "start-powered-off", !starts_on(s, n), &error_abort);
        object_property_set_link(cpu, "memory", OBJECT(get_system_memory()), &error_abort);
        object_property_set_link(cpu, "secure-memory", OBJECT(&s->secure), &error_abort);
        qdev_realize(DEVICE(cpu), NULL, &error_fatal);
        object_unref(cpu);
    }
}

static void add_gic(FvpMachineState *s)
{
    static const int timer_irqs[] = {
        [GTIMER_PHYS] = ARCH_TIMER_NS_EL1_IRQ,
        [GTIMER_VIRT] = ARCH_TIMER_VIRT_IRQ,
        [GTIMER_HYP] = ARCH_TIMER_NS_EL2_IRQ,
        [GTIMER_SEC] = ARCH_TIMER_S_EL1_IRQ,
        [GTIMER_HYPVIRT] = ARCH_TIMER_NS_EL2_VIRT_IRQ,
        [GTIMER_S_EL2_PHYS] = ARCH_TIMER_S_EL2_IRQ,
        [GTIMER_S_EL2_VIRT] = ARCH_TIMER_S_EL2_VIRT_IRQ,
    };
    static const int wires[] = { ARM_CPU_IRQ, ARM_CPU_FIQ, ARM_CPU_VIRQ, ARM_CPU_VFIQ };
    int cpus = MACHINE(s)->smp.cpus;
    QList *regions = qlist_new();
    DeviceState *its = qdev_new(its_class_name());
    SysBusDevice *bus;

    s->gic = qdev_new(gicv3_class_name());
    qdev_prop_set_uint32(s->gic, "revision", 3);
    qdev_prop_set_uint32(s->gic, "num-cpu", cpus);
    qdev_prop_set_uint32(s->gic, "num-irq", SPIS + GIC_INTERNAL);
    qdev_prop_set_bit(s->gic, "has-security-extensions", true);
    qdev_prop_set_bit(s->gic, "has-lpi", true);
    qlist_append_int(regions, cpus);
    qdev_prop_set_array(s->gic, "redist-region-count", regions);
    object_property_set_link(OBJECT(s->gic), "sysmem", OBJECT(get_system_memory()), &error_fatal);
    bus = SYS_BUS_DEVICE(s->gic);
    sysbus_realize_and_unref(bus, &error_fatal);
    sysbus_mmio_map(bus, 0, 0x2f000000);
    sysbus_mmio_map(bus, 1, 0x2f100000);

    for (int n = 0; n < cpus; n++) {
        DeviceState *cpu = DEVICE(qemu_get_cpu(n));
        int ppis = SPIS + n * GIC_INTERNAL;

        for (int t = 0; t < ARRAY_SIZE(timer_irqs); t++) {
            qdev_connect_gpio_out(cpu, t, qdev_get_gpio_in(s->gic, ppis + timer_irqs[t]));
        }
        qdev_connect_gpio_out_named(cpu, "gicv3-maintenance-interrupt", 0,
                                    qdev_get_gpio_in(s->gic, ppis + ARCH_GIC_MAINT_IRQ));
        qdev_connect_gpio_out_named(cpu, "pmu-interrupt", 0,
                                    qdev_get_gpio_in(s->gic, ppis + VIRTUAL_PMU_IRQ));
        for (int w = 0; w < ARRAY_SIZE(wires); w++) {
            sysbus_connect_irq(bus, n + w * cpus, qdev_get_gpio_in(cpu, wires[w]));
        }
    }

    object_property_set_link(OBJECT(its), "parent-gicv3", OBJECT(s->gic), &error_abort);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(its), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(its), 0, 0x2f020000);
}

static qemu_irq spi(FvpMachineState *s, int n)
{
    return qdev_get_gpio_in(s->gic, n);
}

/* QEMU's CMSDK watchdog has the SP805's registers, but for the ID. */
static void add_watchdog(FvpMachineState *s, hwaddr base, int irq, bool secure_only)
{
    DeviceState *dev = qdev_new(TYPE_CMSDK_APB_WATCHDOG);

    qdev_connect_clock_in(dev, "WDOGCLK", s->watchdog_clock);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    memory_region_add_subregion(world(s, secure_only), base,
                                sysbus_mmio_get_region(SYS_BUS_DEVICE(dev), 0));
    sysbus_connect_irq(SYS_BUS_DEVICE(dev), 0, spi(s, irq));
}

static void add_uart(FvpMachineState *s, int number)
{
    DeviceState *dev = qdev_new(TYPE_PL011);

    qdev_prop_set_chr(dev, "chardev", serial_hd(number));
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, 0x1c090000 + number * 0x10000);
    sysbus_connect_irq(SYS_BUS_DEVICE(dev), 0, spi(s, 5 + number));
}

static void add_motherboard(FvpMachineState *s)
{
    for (int number = 0; number < 4; number++) {
        add_uart(s, number);
    }
    s->watchdog_clock = clock_new(OBJECT(s), "WDOGCLK");
    clock_set_hz(s->watchdog_clock, 32768);
    add_watchdog(s, 0x1c0f0000, 0, false);
    add_watchdog(s, 0x2a490000, 24, true);
    sysbus_create_simple("sp804", 0x1c110000, spi(s, 2));
    sysbus_create_simple("sp804", 0x1c120000, spi(s, 3));
    sysbus_create_simple("pl031", 0x1c170000, spi(s, 4));
    /* Slots for -device virtio-...-device. */
    sysbus_create_simple("virtio-mmio", 0x1c130000, spi(s, 42));
    sysbus_create_simple("virtio-mmio", 0x1c140000, spi(s, 43));
    sysbus_create_simple("virtio-mmio", 0x1c150000, spi(s, 44));
    sysbus_create_simple("virtio-mmio", 0x1c200000, spi(s, 46));
    /* What else the motherboard has (Ethernet, USB, displays ...) reads as zero. */
    create_unimplemented_device("fvp.motherboard", 0x1a000000, 0x05000000);
    create_unimplemented_device("fvp.sp810", 0x1c020000, 0x10000);
    add_io(s, "fvp.sysregs", &sysreg_ops, s, 0x1c010000, 0x10000, false);
    add_io(s, "fvp.pwrc", &pwrc_ops, s, 0x1c100000, 0x10000, false);
}

static void add_timers(FvpMachineState *s)
{
    add_io(s, "fvp.cntcontrol", &cntcontrol_ops, s, 0x2a430000, 0x10000, true);
    add_io(s, "fvp.cntctl", &cntctl_ops, s, 0x2a810000, 0x10000, false);
    for (int i = 0; i < 2; i++) {       /* the first is the secure world's */
        s->frame[i].irq = spi(s, 25 + i);
        s->frame[i].timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, frame_update, &s->frame[i]);
        add_io(s, "fvp.cntbase", &frame_ops, &s->frame[i], 0x2a820000 + i * 0x10000, 0x10000, i == 0);
    }
}

static void add_protection(FvpMachineState *s)
{
    if (s->variant == FOUNDATION) {
        return;
    }
    add_io(s, "fvp.tzc400", &tzc_ops, s, 0x2a4a0000, 0x1000, true);
    if (s->variant == REVC) {
        add_io(s, "fvp.cci550", &cci_ops, s, 0x2a000000, 0xa0000, true);
        /* An SMMUv3 that reads as zero has no secure side, and nothing pending. */
        create_unimplemented_device("fvp.smmuv3", 0x2b400000, 0x100000);
    } else {
        add_io(s, "fvp.cci400", &cci_ops, s, 0x2c090000, 0x10000, true);
    }
}

static void fvp_reset(void *opaque)
{
    FvpMachineState *s = opaque;

    timer_del(s->poll);
    memset(s->core, 0, sizeof(s->core));
    memset(s->cluster_on, 0, sizeof(s->cluster_on));
    memset(s->snooped, 0, sizeof(s->snooped));
    for (int n = 0; n < MACHINE(s)->smp.cpus; n++) {
        if (starts_on(s, n)) {
            core_on(s, n, WHY_COLD);
        }
    }
    s->loading = true;
    tzc_reset(s);
    timer_mod(s->loaded, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + 1);
    s->cntcr = s->cntfrq = s->cntnsar = s->flags = s->cfgstat = 0;
    for (int i = 0; i < 2; i++) {
        s->frame[i].ctl = 0;
        frame_update(&s->frame[i]);
    }
}

static void fvp_init(MachineState *machine)
{
    static const uint32_t sys_ids[] = {
        [REVC] = 0x20201100, [BASE] = 0x00201100, [FOUNDATION] = 0x30101100
    };
    static const char *const variants[] = { "revc", "base", "foundation" };
    FvpMachineState *s = FVP_MACHINE(machine);
    uint64_t low = MIN(machine->ram_size, 2 * GiB);

    for (s->variant = REVC; strcmp(s->variant_name, variants[s->variant]); s->variant++) {
        if (s->variant == FOUNDATION) {
            error_report("fvp-base: variant is revc, base or foundation");
            exit(1);
        }
    }
    s->sys_id = sys_ids[s->variant];
    s->poll = timer_new_ns(QEMU_CLOCK_VIRTUAL, poll_cores, s);
    s->loaded = timer_new_ns(QEMU_CLOCK_VIRTUAL, tzc_loaded, s);

    memory_region_init(&s->secure, OBJECT(s), "secure-memory", UINT64_MAX);
    memory_region_add_subregion_overlap(&s->secure, 0, get_system_memory(), -1);

    add_cores(s);
    add_gic(s);
    add_flash(s, 0, 0x00000000, true);  /* the trusted boot ROM; every core's reset vector */
    add_flash(s, 1, 0x08000000, false);
    add_flash(s, 2, 0x0c000000, false);
    add_ram(s, "fvp.trusted-sram", 0x04000000, 512 * KiB, true);
    add_ram(s, "fvp.trusted-dram", 0x06000000, 32 * MiB, true);
    add_ram(s, "fvp.psram", 0x14000000, 64 * MiB, false);
    add_ram(s, "fvp.vram", 0x18000000, 32 * MiB, false);
    add_ram(s, "fvp.sram", 0x2e000000, 64 * KiB, false);
    add_bank(s, 0, 0x80000000, 0, low);
    add_bank(s, 1, 0x880000000, low, machine->ram_size - low);
    add_motherboard(s);
    add_timers(s);
    add_protection(s);

    s->bootinfo.ram_size = machine->ram_size;
    s->bootinfo.board_id = -1;
    s->bootinfo.loader_start = s->bank[0].base;
    s->bootinfo.psci_conduit = QEMU_PSCI_CONDUIT_DISABLED;
    s->bootinfo.firmware_loaded = true;
    s->bootinfo.skip_dtb_autoload = true;
    arm_load_kernel(ARM_CPU(first_cpu), machine, &s->bootinfo);
    qemu_register_reset(fvp_reset, s);  /* after the cores' own */
}

#define STRING_PROPERTY(name, field)                                            \
    static char *get_##name(Object *o, Error **e)                               \
    {                                                                           \
        return g_strdup(FVP_MACHINE(o)->field);                                 \
    }                                                                           \
    static void set_##name(Object *o, const char *value, Error **e)             \
    {                                                                           \
        g_free(FVP_MACHINE(o)->field);                                          \
        FVP_MACHINE(o)->field = g_strdup(value);                                \
    }

#define BOOL_PROPERTY(name, field)                                              \
    static bool get_##name(Object *o, Error **e)                                \
    {                                                                           \
        return FVP_MACHINE(o)->field;                                           \
    }                                                                           \
    static void set_##name(Object *o, bool value, Error **e)                    \
    {                                                                           \
        FVP_MACHINE(o)->field = value;                                          \
    }

STRING_PROPERTY(variant, variant_name)
STRING_PROPERTY(startup, startup)
BOOL_PROPERTY(mt, mt)
BOOL_PROPERTY(tzc, tzc_on)
BOOL_PROPERTY(strict, strict)
BOOL_PROPERTY(flaky, flaky)
BOOL_PROPERTY(deep, deep)

static void set_sys_id(Object *o, Visitor *v, const char *name, void *opaque, Error **e)
{
    uint32_t value;

    if (visit_type_uint32(v, name, &value, e)) {
        FVP_MACHINE(o)->late_sys_id = value;
    }
}

static void set_unknown_core(Object *o, Visitor *v, const char *name, void *opaque, Error **e)
{
    uint32_t value;

    if (visit_type_uint32(v, name, &value, e)) {
        FVP_MACHINE(o)->unknown_core = value;
    }
}

static void fvp_instance_init(Object *obj)
{
    FvpMachineState *s = FVP_MACHINE(obj);

    s->variant_name = g_strdup("revc");
    s->startup = g_strdup("core0");
    s->mt = s->tzc_on = s->strict = true;
    s->late_sys_id = s->unknown_core = -1;
}

static void fvp_class_init(ObjectClass *oc, void *data)
{
    MachineClass *mc = MACHINE_CLASS(oc);

    mc->init = fvp_init;
    mc->desc = "Board with the register map of Arm's Base FVP (for EL3 firmware)";
    mc->default_cpu_type = ARM_CPU_TYPE_NAME("max");
    mc->max_cpus = MAX_CPUS;
    mc->default_cpus = 4;
    mc->minimum_page_bits = 12;
    mc->block_default_type = IF_VIRTIO;
    mc->no_cdrom = 1;
    mc->default_ram_size = 4 * GiB;
    mc->default_ram_id = "fvp.ram";
    mc->smp_props.clusters_supported = true;
    object_class_property_add_str(oc, "variant", get_variant, set_variant);
    object_class_property_add_str(oc, "startup", get_startup, set_startup);
    object_class_property_add_bool(oc, "mt", get_mt, set_mt);
    object_class_property_add_bool(oc, "tzc", get_tzc, set_tzc);
    object_class_property_add_bool(oc, "strict", get_strict, set_strict);
    object_class_property_add_bool(oc, "flaky", get_flaky, set_flaky);
    object_class_property_add_bool(oc, "deep", get_deep, set_deep);
    object_class_property_add(oc, "sys-id", "uint32", NULL, set_sys_id, NULL, NULL);
    object_class_property_add(oc, "unknown-core", "uint32", NULL, set_unknown_core, NULL, NULL);
}

static const TypeInfo fvp_info = {
    .name          = TYPE_FVP_MACHINE,
    .parent        = TYPE_MACHINE,
    .instance_init = fvp_instance_init,
    .class_init    = fvp_class_init,
    .instance_size = sizeof(FvpMachineState),
};

static void fvp_machine_init(void)
{
    type_register_static(&fvp_info);
}

type_init(fvp_machine_init);
