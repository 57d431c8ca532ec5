; Int8Group16.4x1: 603 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x30]
    vmovups      zmm4, [r11]
    vmovups      zmm5, [r11+0x40]
    vmovups      zmm6, [r11+0x80]
    vmovups      zmm7, [r11+0xc0]
L1:
    vpbroadcastd zmm0, [r9]
    vpbroadcastd zmm1, [r9]
    vpbroadcastd zmm2, [r9]
    vpbroadcastd zmm3, [r9]
    add          r9, 4
    mov          esi, [rdi+0x34]
    cmp          ecx, 1
    cmove        esi, [rdi+0x38]
L2:
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm8, [rax]
    vmovdqu64    zmm9, [rax+0x40]
    vmovdqu64    zmm10, [rax+0x80]
    vmovdqu64    zmm11, [rax+0xc0]
    vpbroadcastd zmm12, [rdx]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm8, [rax+0x100]
    vmovdqu64    zmm9, [rax+0x140]
    vmovdqu64    zmm10, [rax+0x180]
    vmovdqu64    zmm11, [rax+0x1c0]
    vpbroadcastd zmm12, [rdx+4]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm8, [rax+0x200]
    vmovdqu64    zmm9, [rax+0x240]
    vmovdqu64    zmm10, [rax+0x280]
    vmovdqu64    zmm11, [rax+0x2c0]
    vpbroadcastd zmm12, [rdx+8]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm8, [rax+0x300]
    vmovdqu64    zmm9, [rax+0x340]
    vmovdqu64    zmm10, [rax+0x380]
    vmovdqu64    zmm11, [rax+0x3c0]
    vpbroadcastd zmm12, [rdx+0xc]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    add          rax, 0x400
    add          rdx, 0x10
    dec          esi
    jne          near L2
    vcvtph2ps    zmm8, [rax]
    vcvtph2ps    zmm9, [rax+0x20]
    vcvtph2ps    zmm10, [rax+0x40]
    vcvtph2ps    zmm11, [rax+0x60]
    vcvtdq2ps    zmm0, zmm0
    vmulps       zmm0, zmm0, zmm8
    vfmadd231ps  zmm4, zmm0, [r8]{1to16}
    vcvtdq2ps    zmm1, zmm1
    vmulps       zmm1, zmm1, zmm9
    vfmadd231ps  zmm5, zmm1, [r8]{1to16}
    vcvtdq2ps    zmm2, zmm2
    vmulps       zmm2, zmm2, zmm10
    vfmadd231ps  zmm6, zmm2, [r8]{1to16}
    vcvtdq2ps    zmm3, zmm3
    vmulps       zmm3, zmm3, zmm11
    vfmadd231ps  zmm7, zmm3, [r8]{1to16}
    add          r8, 4
    add          rax, 0x80
    dec          ecx
    jne          near L1
    vmovups      [r11], zmm4
    vmovups      [r11+0x40], zmm5
    vmovups      [r11+0x80], zmm6
    vmovups      [r11+0xc0], zmm7
    vzeroupper
    ret
