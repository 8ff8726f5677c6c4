/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What TF-A's TRNG service wants of a platform. Neither QEMU's nor the FVP's has it; without it the service does not
 * link. xtask adds this file to the C BL31 that has Janus' features: the source of entropy is FEAT_RNG, as with Janus.
 */
#include <stdbool.h>
#include <stdint.h>

#include <plat/common/plat_trng.h>

uuid_t plat_trng_uuid = { .node = { 1 } };

void plat_entropy_setup(void)
{
}

/* RNDRRS; it clears PSTATE.Z if there was a number. */
bool plat_get_entropy(uint64_t *out)
{
	uint64_t got;

	__asm__ volatile("mrs %0, s3_3_c2_c4_1\n\tcset %1, ne" : "=r"(*out), "=r"(got) : : "cc");
	return got != 0U;
}
